//! Forms met in the wild that belong to no list.

use homelab_tui::core::build_log::Status;

use crate::*;

/// Two builds started by one script at the same time write between each other's lines.
#[test]
fn builds_that_run_side_by_side_keep_their_counts() {
    let first = "#4 [deps 1/3] FROM docker.io/library/node:24\n#4 resolve docker.io/library/node:24 0.4s done\n#4 DONE 0.4s\n\n#5 [internal] load build context\n#5 DONE 0.5s\n\n\
        #6 [deps 2/3] RUN corepack enable\n#6 CACHED\n\n#7 [deps 3/3] COPY frontend ./\n#7 DONE 2.8s\n\n#8 exporting to image\n#8 naming to docker.io/library/frontend:1 done\n#8 DONE 0.3s\n";
    let second = "#4 [internal] load build context\n#4 DONE 0.4s\n\n#5 [deps 1/4] FROM docker.io/library/node:24\n#5 DONE 0.4s\n\n\
        #6 [deps 2/4] RUN corepack enable\n#6 CACHED\n\n#7 [deps 3/4] COPY backend ./\n#7 CACHED\n\n#8 [deps 4/4] RUN pnpm install\n#8 CACHED\n\n#9 exporting to image\n#9 naming to docker.io/library/backend:1 done\n#9 DONE 0.3s\n";
    let begin = "#0 building with \"default\" instance using docker driver\n\n#1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile:\n";
    let both = "#1 transferring dockerfile: 3.28kB done\n#1 transferring dockerfile: 5.15kB done\n#1 DONE 0.4s\n\n#2 [internal] load metadata for docker.io/library/node:24\n#1 DONE 0.7s\n\n\
        #2 [internal] load metadata for docker.io/library/node:24\n#2 DONE 1.4s\n#2 DONE 1.5s\n\n#3 [internal] load .dockerignore\n#3 DONE 0.1s\n\n#3 [internal] load .dockerignore\n#3 DONE 0.2s\n\n";
    let blocks = |text: &'static str| text.split_inclusive("\n\n").collect::<Vec<_>>();
    for ahead in 0..4 {
        // One of them is some blocks ahead of the other.
        let (one, other) = (blocks(first), blocks(second));
        let mut mixed = [begin, begin, both].concat();
        mixed.extend(other[..ahead].iter().copied());
        for at in 0..one.len().max(other.len() - ahead) {
            mixed.extend(one.get(at).copied());
            mixed.extend(other.get(at + ahead).copied());
        }
        let mut builds = read(&mixed);
        builds.sort_by_key(|build| build.images.clone());
        assert_eq!(builds.len(), 2, "{ahead}: {builds:#?}");
        assert_eq!(
            builds.iter().map(counts).collect::<Vec<_>>(),
            [[3, 3, 0, 0, 0], [2, 1, 1, 0, 0]],
            "{ahead}: {builds:#?}"
        );
        // Whose the internal vertices are cannot always be told, but none is lost and none is counted twice.
        assert_eq!(
            builds
                .iter()
                .map(|build| build.vertices.unwrap().total)
                .sum::<usize>(),
            17,
            "{ahead}"
        );
        assert!(
            builds
                .iter()
                .all(|build| build.interleaved && build.status == Status::Succeeded),
            "{ahead}: {builds:#?}"
        );
    }
}

/// GitHub hides whatever looks like a secret, also where it is a number.
#[test]
fn numbers_hidden_as_secrets_are_found_again() {
    let text = small()
        .replace("#5 ", "#*** ")
        .replace("[3/3]", "[***/***]")
        .replace("2.5s", "***.5s")
        .replace("#4 ", "#***4 ");
    let build = one(&stamped(&text, 0));
    assert_eq!(
        (counts(&build), build.vertices.unwrap().total, build.status),
        (SMALL, 6, Status::Succeeded)
    );
}

/// Forms met in the wild that are no trap of their own.
#[test]
fn odd_forms_are_read() {
    // Shown out of order at the beginning, also twice in one file.
    let swapped = HEAD
        .replace("#1 ", "#9 ")
        .replace("#2 ", "#1 ")
        .replace("#9 ", "#2 ");
    let swapped = [&swapped, STEP, EXPORT].concat();
    for build in read(&[swapped.as_str(), &swapped].concat()) {
        assert_eq!(
            (
                counts(&build),
                build.vertices.unwrap().total,
                build.head_missing
            ),
            (SMALL, 6, false)
        );
    }
    let late = small().replace("#1 [internal] load build definition from Dockerfile\n#1 transferring dockerfile: 120B done\n#1 DONE 0.0s\n\n", "").replace(
        "#3 [1/3]",
        "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\n#3 [1/3]",
    );
    assert_eq!(counts(&one(&late)), SMALL);
    assert_eq!(
        read(&[late.as_str(), &late].concat())
            .iter()
            .map(|build| build.vertices.unwrap().total)
            .collect::<Vec<_>>(),
        [6, 6]
    );
    // Pushed by the engine after the build.
    let pushed = small()
        + "\n#7 pushing ghcr.io/me/app:1 with docker\n#7 pushing layer 5f70bf18a086 1.02kB / 3.4kB\n#7 pushing layer 5f70bf18a086 3.4kB / 3.4kB 0.1s done\n#7 DONE 1.2s\n";
    let build = one(&pushed);
    assert_eq!(
        (build.status, build.pushed, build.images.len()),
        (Status::Succeeded, Some(3_400), 2)
    );
    let refused = pushed.replace("#7 DONE 1.2s", "#7 ERROR: denied: permission denied\n------\n > pushing ghcr.io/me/app:1 with docker:\n------\nERROR: failed to build: denied: permission denied");
    assert_eq!(
        (one(&refused).status, counts(&one(&refused))),
        (Status::Failed, SMALL)
    );
    // The first BuildKit clients.
    let old = "#1 [internal] load build definition from Dockerfile\n#1       digest: sha256:aa\n#1         name: \"[internal] load build definition from Dockerfile\"\n\
        #1      started: 2018-11-08 10:00:00.1 +0000 UTC\n#1    completed: 2018-11-08 10:00:00.2 +0000 UTC\n#1     duration: 100ms\n#1 transferring dockerfile: 38B done\n\n\
        #2 [1/3] FROM docker.io/library/alpine\n#2     duration: 0s\n#2       cached: true\n\n#3 [2/3] COPY . .\n#3     duration: 0s\n#3       cached: true\n\n#4 [3/3] RUN make\n#4 0.3 x\n#4     duration: 1m2.5s\n\n\
        #5 exporting to image\n#5     duration: 20ms\n";
    let build = one(old);
    assert_eq!(
        (counts(&build), build.status, build.missed_seconds),
        (SMALL, Status::Succeeded, Some(62.5))
    );
    // A repository as context tells its revision.
    let hash = "c6bc9192477235443d6e4f6087a0037fb3636b5f";
    let git = small().replace(
        "#1 [internal] load build definition from Dockerfile",
        &format!("#1 [internal] load git source https://github.com/me/app.git#{hash}"),
    );
    assert_eq!(one(&git).revision.as_deref(), Some(hash));
    // A record of PowerShell around every line.
    let records: String = small().lines().filter(|line| !line.is_empty()).map(|line| format!(
        "docker : {line}\r\nEn línea: 16 Carácter: 35\r\n+ docker build .\r\n+ ~~~~~~\r\n    + CategoryInfo          : NotSpecified: ({line}:String) [], RemoteException\r\n    + FullyQualifiedErrorId : NativeCommandError\r\n \r\n"
    )).collect();
    let build = one(&records);
    assert_eq!(
        (counts(&build), build.status, build.unread),
        (SMALL, Status::Succeeded, 0),
        "{:?}",
        build.unread_sample
    );
    // A base image that nobody waited for in the end.
    let left = small()
        .replace("#2 DONE 0.4s", "#2 ...")
        .replace("#3 DONE 0.0s", "#3 ...");
    assert_eq!(
        (one(&left).status, counts(&one(&left))),
        (Status::Succeeded, SMALL)
    );
    // Set up, pushed and listed by other commands of the builder.
    let listed = small()
        + "#1 [internal] pushing ghcr.io/me/app:1\n#1 0.000 pushing sha256:aa to ghcr.io/me/app:1\n#1 DONE 2.0s\n";
    assert_eq!(counts(&one(&listed)), SMALL);
}
