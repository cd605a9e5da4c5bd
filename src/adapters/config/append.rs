//! Adds hosts to a configuration file without touching a byte of what stands there.
//!
//! The new text is read again before it is written: where it would not mean exactly the old configuration and the new
//! hosts, nothing is written and the lines are shown instead.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::LARGEST;
use super::tree::{self, Content, Node};
use crate::core::offer::Offer;

const HOSTS: &str = "hosts";

/// Why the file was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    pub why: String,
    /// The lines that a person may put there.
    pub lines: Vec<String>,
}

/// Adds the hosts to the file, which is made where it is missing.
///
/// # Errors
/// If the file cannot be read or written, or has a form in which nothing can be added safely.
pub fn append(path: &Path, offers: &[Offer]) -> Result<(), LeftAlone> {
    let alone = |why: String| LeftAlone {
        why,
        lines: lines(offers, "  "),
    };
    let name = path.display();
    // A link stays one: what it leads to is written.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = match read(&target) {
        Ok(old) => old,
        Err(error) => return Err(alone(format!("cannot read {name}: {error}"))),
    };
    let text = String::from_utf8(old.clone().unwrap_or_default())
        .map_err(|_| alone(format!("{name} is not UTF-8")))?;
    let new = with_hosts(&text, offers).ok_or_else(|| {
        alone(format!(
            "{name} has a form to which nothing can be added safely"
        ))
    })?;
    write(&target, old.as_deref(), new.as_bytes())
        .map_err(|error| alone(format!("cannot write {name}: {error}")))
}

/// Returns the text with the hosts added; nothing where that cannot be done safely.
fn with_hosts(text: &str, offers: &[Offer]) -> Option<String> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let before = tree::parse(body).ok()?;
    let end = if body.contains("\r\n") { "\r\n" } else { "\n" };
    let (at, indent, with_key) = place(body, &before)?;
    let mut added = String::new();
    if at > 0 && !body[..at].ends_with('\n') {
        added.push_str(end);
    }
    if with_key {
        added.push_str("hosts:");
        added.push_str(end);
    }
    for line in lines(offers, &indent) {
        added.push_str(&line);
        added.push_str(end);
    }
    let new = format!("{}{added}{}", &body[..at], &body[at..]);
    let after = tree::parse(&new).ok()?;
    means_both(&before, &after, offers).then(|| {
        let mark = &text[..text.len() - body.len()];
        format!("{mark}{new}")
    })
}

/// Finds the byte where lines are to be put, their indentation, and whether the key is missing.
fn place(text: &str, root: &Node) -> Option<(usize, String, bool)> {
    let pairs = match &root.content {
        Content::Nothing => return Some((text.len(), "  ".to_owned(), true)),
        Content::Map(pairs) => pairs,
        Content::Scalar(_) | Content::List(_) => return None,
    };
    let is_hosts = |key: &Node| key.content == Content::Scalar(HOSTS.to_owned());
    let index = pairs.iter().position(|(key, _)| is_hosts(key));
    let Some(index) = index else {
        return Some((text.len(), "  ".to_owned(), true));
    };
    let (key, value) = &pairs[index];
    let indent = match &value.content {
        Content::Nothing => "  ".to_owned(),
        Content::List(items) => {
            let first = line(text, items.first()?.place.line)?;
            let dash = first.find('-')?;
            // Anything but spaces before the dash is a form of its own.
            first[..dash]
                .chars()
                .all(|c| c == ' ')
                .then(|| first[..dash].to_owned())?
        }
        Content::Scalar(_) | Content::Map(_) => return None,
    };
    let next = pairs.get(index + 1).map(|(key, _)| key.place.line);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let limit = next.map_or(lines.len(), |line| line - 1);
    // Comments and blank lines before the next key belong to that.
    let last = (key.place.line..=limit).rev().find(|number| {
        let line = lines.get(number - 1).map_or("", |line| line.trim());
        !line.is_empty() && !line.starts_with('#')
    })?;
    let at = lines.iter().take(last).map(|line| line.len()).sum();
    Some((at, indent, false))
}

fn line(text: &str, number: usize) -> Option<&str> {
    text.lines().nth(number.checked_sub(1)?)
}

/// Tells whether the new document is the old one with these hosts behind the others.
fn means_both(before: &Node, after: &Node, offers: &[Offer]) -> bool {
    let Content::Map(new) = &after.content else {
        return false;
    };
    let none = Vec::new();
    let old = match &before.content {
        Content::Map(pairs) => pairs,
        Content::Nothing => &none,
        Content::Scalar(_) | Content::List(_) => return false,
    };
    let is_hosts = |(key, _): &&(Node, Node)| key.content == Content::Scalar(HOSTS.to_owned());
    let hosts = |pairs: &[(Node, Node)]| -> Option<Vec<Node>> {
        match pairs.iter().find(is_hosts).map(|(_, value)| &value.content) {
            Some(Content::List(items)) => Some(items.clone()),
            Some(Content::Nothing) | None => Some(Vec::new()),
            Some(Content::Scalar(_) | Content::Map(_)) => None,
        }
    };
    let (Some(were), Some(are)) = (hosts(old), hosts(new)) else {
        return false;
    };
    let kept = were.len() + offers.len() == are.len()
        && were.iter().zip(&are).all(|(a, b)| same(a, b))
        && are[were.len()..]
            .iter()
            .zip(offers)
            .all(|(node, offer)| is_offer(node, offer));
    let others = |pairs: &[(Node, Node)]| -> Vec<(Node, Node)> {
        pairs
            .iter()
            .filter(|pair| !is_hosts(pair))
            .cloned()
            .collect()
    };
    let (rest, rest_now) = (others(old), others(new));
    let keys = |pairs: &[(Node, Node)]| pairs.iter().filter(is_hosts).count();
    kept && keys(new) == 1
        && rest.len() == rest_now.len()
        && rest
            .iter()
            .zip(&rest_now)
            .all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
}

/// Compares two nodes wherever they stand.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.content, &b.content) {
        (Content::List(a), Content::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Content::Map(a), Content::Map(b)) => {
            let pair =
                |(a, b): (&(Node, Node), &(Node, Node))| same(&a.0, &b.0) && same(&a.1, &b.1);
            a.len() == b.len() && a.iter().zip(b).all(pair)
        }
        (a, b) => a == b,
    }
}

fn is_offer(node: &Node, offer: &Offer) -> bool {
    let Content::Map(pairs) = &node.content else {
        return false;
    };
    let wanted = [
        ("name", offer.name.clone()),
        ("address", offer.address.to_string()),
    ];
    pairs.len() == wanted.len()
        && pairs
            .iter()
            .zip(wanted)
            .all(|((key, value), (name, text))| {
                key.content == Content::Scalar(name.to_owned())
                    && value.content == Content::Scalar(text)
            })
}

/// Returns a line for each host.
pub fn lines(offers: &[Offer], indent: &str) -> Vec<String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    offers
        .iter()
        .map(|offer| {
            let address = quoted(&offer.address.to_string());
            let name = quoted(&offer.name);
            format!("{indent}- {{name: {name}, address: {address}}}")
        })
        .collect()
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(LARGEST + 1).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 1 MB"));
    }
    Ok(Some(bytes))
}

/// Puts the new file in the old one's place at once, with its rights.
fn write(path: &Path, old: Option<&[u8]>, new: &[u8]) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    fs::create_dir_all(&folder)?;
    let mode = fs::metadata(path).map_or(0o600, |data| data.permissions().mode() & 0o777);
    let beside = folder.join(format!(".homelab-tui-{}.new", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(mode)
            .open(&beside)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.write_all(new)?;
        file.sync_all()?;
        // Somebody may have saved it in an editor meanwhile.
        if read(path)?.as_deref() != old {
            return Err(io::Error::other(
                "it was changed by somebody else meanwhile",
            ));
        }
        fs::rename(&beside, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;
    use crate::core::offer::OfferSource;

    fn offers() -> Vec<Offer> {
        let offer = |name: &str, address: &str| Offer {
            name: name.to_owned(),
            address: address.parse().unwrap(),
            source: OfferSource::Ssh,
            online: None,
        };
        vec![
            offer("nas", "ssh://nas"),
            offer("no", "ssh://ops@[fd7a::1]:22"),
        ]
    }

    const NAS: &str = "- {name: \"nas\", address: \"ssh://nas\"}";
    const NO: &str = "- {name: \"no\", address: \"ssh://ops@[fd7a::1]:22\"}";

    #[test]
    fn hosts_are_added_and_every_other_byte_stays() {
        for (old, new) in [
            ("", "hosts:\n  NAS\n  NO\n"),
            ("# mine\n\n", "# mine\n\nhosts:\n  NAS\n  NO\n"),
            ("theme: dusk", "theme: dusk\nhosts:\n  NAS\n  NO\n"),
            (
                "hosts:\ntheme: dusk\n",
                "hosts:\n  NAS\n  NO\ntheme: dusk\n",
            ),
            ("hosts: # none yet\n", "hosts: # none yet\n  NAS\n  NO\n"),
            (
                "hosts:\n- name: a   # first\n  address: local\n\n# of the screen\ntheme:   dusk  # why\n",
                "hosts:\n- name: a   # first\n  address: local\nNAS\nNO\n\n# of the screen\ntheme:   dusk  # why\n",
            ),
            (
                "hosts:\r\n    - {name: a, address: local}\r\ntheme: dusk\r\n",
                "hosts:\r\n    - {name: a, address: local}\r\n    NAS\r\n    NO\r\ntheme: dusk\r\n",
            ),
            (
                "\u{feff}hosts:\n  - &a {name: a, address: local}\n  # the last",
                "\u{feff}hosts:\n  - &a {name: a, address: local}\n  NAS\n  NO\n  # the last",
            ),
            (
                "---\nhosts:\n  - name: a\n    address: >-\n      local\n",
                "---\nhosts:\n  - name: a\n    address: >-\n      local\n  NAS\n  NO\n",
            ),
            (
                "\"hosts\":\n  - {name: a, address: local}",
                "\"hosts\":\n  - {name: a, address: local}\n  NAS\n  NO\n",
            ),
        ] {
            let new = new.replace("NAS", NAS).replace("NO", NO);
            assert_eq!(
                with_hosts(old, &offers()).as_deref(),
                Some(&*new),
                "{old:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_added_to_safely_is_left_alone() {
        for odd in [
            "hosts: []\n",
            "hosts: [{name: a, address: local}]\n",
            "{hosts: [{name: a, address: local}]}\n",
            "{theme: dusk}\n",
            "- a\n",
            "just words\n",
            "hosts: {a: b}\n",
            "hosts: null\n",
            "theme: dusk\n...\n",
            "theme: dusk\n---\nhosts:\n  - {name: a, address: local}\n",
            "hosts:\n  - {name: a, address: local}\nhosts:\n  - {name: b, address: local}\n",
            "hosts: &h\n  - {name: a, address: local}\nother: *h\n",
            "hosts:\n  - {name: a,\n",
            "hosts:\n  - - a\n",
            "hosts:\n  - name: a\n    address: |\n      # no comment\n",
            "theme: \"open\n",
        ] {
            let new = with_hosts(odd, &offers());
            // Where it was changed after all, it must mean both and hold every old byte in its order.
            if let Some(new) = new {
                let (old, new) = (tree::parse(odd).unwrap(), tree::parse(&new).unwrap());
                assert!(means_both(&old, &new, &offers()), "{odd:?}");
                assert!(
                    odd.contains("- - a") || odd.contains("no comment"),
                    "{odd:?}"
                );
            }
        }
    }

    #[test]
    fn the_file_is_replaced_at_once_with_its_rights_and_links_stay() {
        let scratch = Scratch::create();
        let (real, link) = (
            scratch.path().join("real.yaml"),
            scratch.path().join("link.yaml"),
        );
        fs::write(&real, "theme: dusk # mine\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        append(&link, &offers()).unwrap();
        let text = fs::read_to_string(&real).unwrap();
        assert!(text.starts_with("theme: dusk # mine\nhosts:\n"), "{text}");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
        let new = scratch.path().join("a/b/config.yaml");
        append(&new, &offers()).unwrap();
        assert_eq!(
            fs::metadata(&new).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let odd = scratch.path().join("odd.yaml");
        fs::write(&odd, "hosts: []\n").unwrap();
        let left = append(&odd, &offers()).unwrap_err();
        assert_eq!(left.lines, [format!("  {NAS}"), format!("  {NO}")]);
        assert_eq!(fs::read_to_string(&odd).unwrap(), "hosts: []\n");
        assert_eq!(
            scratch.path().read_dir().unwrap().count(),
            4,
            "nothing is left beside"
        );
    }
}
