//! What would undo an outcome: timers, cron and updaters, told from what was read on the host.
//!
//! Reading files and asking systemd is an adapter's; this module understands their texts.

use jiff::Timestamp;

use crate::core::age::span;
use crate::core::text::clean_within;

/// A text found on the host that might run commands by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub kind: Kind,
    /// The unit's or the file's name.
    pub name: String,
    pub text: String,
    /// How often it runs, as its timer or its table of cron says it.
    pub every: Option<String>,
    pub next: Option<Timestamp>,
    pub last: Option<Timestamp>,
    /// The last run's result in systemd's words.
    pub result: Option<String>,
}

/// Where a text was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A service unit; started by a timer of the same name, or by itself.
    Service,
    /// A table of cron, or a script that cron runs.
    Cron,
}

/// Something that acts on a project by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undoer {
    pub name: String,
    pub pulls: bool,
    pub recreates: bool,
    /// Whether it recreates even where nothing changed.
    pub by_force: bool,
    /// Whether a failure of it would look like success.
    pub hides_failure: bool,
    pub every: Option<String>,
    pub next: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub result: Option<String>,
    pub commands: Vec<String>,
}

/// Images of programs that update other containers by themselves.
const UPDATERS: [&str; 8] = [
    "watchtower",
    "ouroboros",
    "diun",
    "whats-up-docker",
    "wud",
    "tugtainer",
    "dockcheck",
    "shepherd",
];

/// The label by which a container tells the best known of them to leave it alone.
pub const SPARED: &str = "com.centurylinklabs.watchtower.enable";

/// Updaters that only tell and change nothing.
const TELLERS: [&str; 3] = ["diun", "whats-up-docker", "wud"];

/// Returns the name of the updater that an image is, if it is one that acts.
pub fn updater(reference: &str) -> Option<&'static str> {
    let repository = reference
        .parse::<crate::core::image::ImageRef>()
        .ok()?
        .repository;
    let name = repository.path.rsplit('/').next()?.to_owned();
    UPDATERS
        .into_iter()
        .find(|known| name == *known)
        .filter(|known| !TELLERS.contains(known))
}

/// Tells what a found text does to the project in the folder, if it does anything.
pub fn acts_on(found: &Found, folder: &str, files: &[String]) -> Option<Undoer> {
    let commands = commands(found);
    let works_there = working_directory(found).is_some_and(|own| same_folder(&own, folder));
    let names_it = |command: &String| {
        mentions_folder(command, folder)
            || mentions_all_beside(command, folder)
            || files.iter().any(|file| command.contains(file.as_str()))
    };
    let mut here = false;
    let mut own = Vec::new();
    for command in &commands {
        // The lines of a table of cron are commands of their own.
        if found.kind == Kind::Cron && schedule(command).is_some() {
            here = false;
        }
        let is_compose = command.contains("docker compose") || command.contains("docker-compose");
        // A script changes into the folder on one line and works there on the next.
        here |= names_it(command);
        if is_compose && (here || works_there) {
            own.push(command.clone());
        }
    }
    if own.is_empty() {
        return None;
    }
    let says = |word: &str| own.iter().any(|command| has_word(command, word));
    let recreates = says("up") || says("down") || says("restart");
    let pulls = says("pull") || own.iter().any(|command| command.contains("--pull always"));
    (recreates || pulls).then(|| Undoer {
        name: found.name.clone(),
        pulls,
        recreates,
        by_force: own
            .iter()
            .any(|command| command.contains("--force-recreate")),
        hides_failure: own.iter().any(|command| {
            let end = command.trim_end_matches(['\'', '"', ' ', ')']);
            end.ends_with("|| true")
                || end.ends_with("|| :")
                || end.ends_with("|| exit 0")
                || command.starts_with('-')
        }),
        every: found.every.clone().or_else(|| match found.kind {
            Kind::Cron => own.first().and_then(|line| schedule(line)),
            Kind::Service => None,
        }),
        next: found.next,
        last: found.last,
        result: found.result.clone(),
        commands: own,
    })
}

impl Undoer {
    /// Says what it does in words: how often, when next, and how the last run ended.
    pub fn words(&self, now: Option<Timestamp>) -> String {
        let does = match (self.pulls, self.recreates) {
            (true, true) => "pulls and recreates",
            (true, false) => "pulls",
            _ => "recreates",
        };
        let mut words = format!("{} {does} this project", self.name);
        if self.by_force {
            words.push_str(", even where nothing changed");
        }
        if let Some(every) = &self.every {
            words.push_str(&format!(" ({every})"));
        }
        if let Some((next, now)) = self.next.zip(now) {
            let ahead = span(next.duration_since(now));
            let ahead = if ahead == "now" {
                "in less than a minute".to_owned()
            } else {
                format!("in {ahead}")
            };
            words.push_str(&format!("; runs next {ahead}"));
        }
        let ended = match self.result.as_deref() {
            None => "",
            Some("success") => " well",
            Some(_) => " badly",
        };
        match self.last.zip(now) {
            Some((last, now)) => words.push_str(&format!(
                "; its last run, {} ago, ended{ended}",
                span(now.duration_since(last)).replace("now", "less than a minute")
            )),
            None if ended == " badly" => words.push_str("; its last run ended badly"),
            None => {}
        }
        if let Some(result) = self.result.as_deref().filter(|result| *result != "success") {
            words.push_str(&format!(" ({result})"));
        }
        if self.hides_failure {
            words.push_str("; its failures look like success");
        }
        words
    }
}

fn commands(found: &Found) -> Vec<String> {
    match found.kind {
        Kind::Service => unit_lines(&found.text)
            .filter(|(key, _)| key.starts_with("Exec"))
            .map(|(_, value)| value)
            .collect(),
        Kind::Cron => found
            .text
            .replace("\\\n", " ")
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect(),
    }
}

fn working_directory(found: &Found) -> Option<String> {
    if found.kind != Kind::Service {
        return None;
    }
    unit_lines(&found.text)
        .filter(|(key, _)| key == "WorkingDirectory")
        .map(|(_, value)| value.trim_start_matches('-').to_owned())
        .last()
}

/// Returns the settings of a unit, with continued lines joined.
fn unit_lines(text: &str) -> impl Iterator<Item = (String, String)> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines: Vec<(String, String)> = joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';', '[']))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
        .collect();
    lines.into_iter()
}

fn same_folder(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

/// Finds the folder as a whole path in a command, not as the beginning of another's name.
fn mentions_folder(command: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    if folder.is_empty() {
        return false;
    }
    command.match_indices(folder).any(|(at, _)| {
        let after = command[at + folder.len()..].chars().next();
        after.is_none_or(|c| !(c.is_alphanumeric() || "-_.".contains(c)))
    })
}

/// Finds the pattern of all folders of the one that the folder lies in, as of a loop over `/srv/*/`.
fn mentions_all_beside(command: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    let Some((parent, _)) = folder
        .rsplit_once('/')
        .filter(|(parent, _)| !parent.is_empty())
    else {
        return false;
    };
    let pattern = format!("{parent}/*");
    command.match_indices(&pattern).any(|(at, _)| {
        let before = command[..at].chars().next_back();
        let after = command[at + pattern.len()..].chars().next();
        // Not the end of another path, and not the files of one kind.
        before.is_none_or(|c| c.is_whitespace() || "'\"=(".contains(c))
            && after.is_none_or(|c| c.is_whitespace() || "/'\";)".contains(c))
    })
}

/// Returns when a line of a table of cron runs, as it is written there.
pub fn schedule(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    if let Some(named) = words.first().filter(|word| word.starts_with('@')) {
        return Some(clean_within(named, 80));
    }
    let names_days = |word: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "*,/-".contains(c);
        word.contains(|c: char| c == '*' || c.is_ascii_digit()) && word.chars().all(plain)
            || word.len() == 3 && word.chars().all(|c| c.is_ascii_alphabetic())
    };
    let fields = words.get(..5)?;
    fields
        .iter()
        .all(|field| names_days(field))
        .then(|| clean_within(&fields.join(" "), 80))
}

fn has_word(command: &str, word: &str) -> bool {
    let boundary = |c: char| !(c.is_alphanumeric() || c == '-' || c == '_');
    command.split(boundary).any(|own| own == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(text: &str) -> Found {
        Found {
            kind: Kind::Service,
            name: "minecraft-update.service".to_owned(),
            text: text.to_owned(),
            every: None,
            next: None,
            last: None,
            result: None,
        }
    }

    const HOURLY: &str = "[Service]\nType=oneshot\nWorkingDirectory=/home/pi/minecraft-server\n\
        ExecStart=/bin/sh -c 'cd /home/pi/minecraft-server && /usr/bin/docker compose pull'\n\
        ExecStart=/bin/sh -c 'cd /home/pi/minecraft-server && /usr/bin/docker compose up -d --force-recreate'\n";

    #[test]
    fn c6_the_hourly_timer_is_seen_for_its_own_project_only() {
        let found = service(HOURLY);
        let undoer = acts_on(&found, "/home/pi/minecraft-server", &[]);
        let words = undoer
            .as_ref()
            .map(|undoer| undoer.words(None))
            .unwrap_or_default();
        assert_eq!(
            words,
            "minecraft-update.service pulls and recreates this project, even where nothing changed"
        );
        assert_eq!(acts_on(&found, "/home/pi/minecraft", &[]), None);
        assert_eq!(acts_on(&found, "/home/pi/blog", &[]), None);
    }

    #[test]
    fn the_next_and_the_last_run_are_told() {
        let now = Timestamp::from_second(1_800_000_000).ok();
        let at = |minutes: i64| Timestamp::from_second(1_800_000_000 + 60 * minutes).ok();
        let found = Found {
            every: Some("OnUnitActiveSec=1h".to_owned()),
            next: at(12),
            last: at(-48),
            result: Some("exit-code".to_owned()),
            ..service(HOURLY)
        };
        let undoer = acts_on(&found, "/home/pi/minecraft-server", &[]);
        assert_eq!(
            undoer.map(|undoer| undoer.words(now)).unwrap_or_default(),
            "minecraft-update.service pulls and recreates this project, even where nothing changed \
             (OnUnitActiveSec=1h); runs next in 12 min; its last run, 48 min ago, ended badly (exit-code)"
        );
    }

    #[test]
    fn a_hidden_failure_is_told() {
        let text = "[Service]\nExecStart=/bin/sh -c 'cd /srv/b; docker compose pull -q || true'\n";
        let undoer = acts_on(&service(text), "/srv/b/", &[]);
        assert!(
            undoer.is_some_and(|undoer| undoer.hides_failure && undoer.pulls && !undoer.recreates)
        );
    }

    #[test]
    fn a_script_of_cron_is_read_line_by_line() {
        let found = Found {
            kind: Kind::Cron,
            name: "/etc/cron.daily/update".to_owned(),
            text: "#!/bin/sh\n# docker compose down\ncd /srv/b\ndocker-compose pull\ndocker-compose up -d\n".to_owned(),
            ..service("")
        };
        let undoer = acts_on(&found, "/srv/b", &[]);
        assert!(
            undoer.is_some_and(|undoer| undoer.pulls
                && undoer.recreates
                && undoer.commands.len() == 2)
        );
        let listing = Found {
            text: "0 3 * * * root docker compose -f /srv/b/compose.yaml ps\n".to_owned(),
            ..found
        };
        assert_eq!(acts_on(&listing, "/srv/b", &[]), None);
    }

    #[test]
    fn a_loop_over_all_folders_and_the_table_s_schedule_are_read() {
        let found = Found {
            kind: Kind::Cron,
            name: "/etc/crontab: /opt/update.sh".to_owned(),
            text:
                "for d in /srv/*/; do\ncd \"$d\" && docker compose pull && docker compose up -d\n"
                    .to_owned(),
            every: schedule("0 4 * * sun root /opt/update.sh"),
            ..service("")
        };
        let undoer = acts_on(&found, "/srv/b", &[]);
        assert_eq!(
            undoer.map(|undoer| undoer.words(None)).unwrap_or_default(),
            "/etc/crontab: /opt/update.sh pulls and recreates this project (0 4 * * sun)"
        );
        assert_eq!(acts_on(&found, "/home/me/b", &[]), None);
        assert_eq!(acts_on(&found, "/srv/b/c", &[]), None);
        for other in [
            "rsync /mnt/srv/* x && docker compose pull",
            "rm /srv/*.log; docker compose pull",
            "0 2 * * * cd /srv/b && git pull\n0 4 * * * cd /opt/o && docker compose up -d",
        ] {
            let text = other.to_owned();
            let found = Found {
                text,
                ..found.clone()
            };
            assert_eq!(acts_on(&found, "/srv/b", &[]), None, "{other}");
        }
        let line = Found {
            text: "@daily cd /srv/b && docker compose pull\n".to_owned(),
            every: None,
            ..found
        };
        let undoer = acts_on(&line, "/srv/b", &[]);
        assert_eq!(
            undoer.and_then(|undoer| undoer.every).as_deref(),
            Some("@daily")
        );
        assert_eq!(schedule("cd /srv/b && docker compose"), None);
    }

    #[test]
    fn updaters_are_known_by_their_image() {
        assert_eq!(updater("containrrr/watchtower:latest"), Some("watchtower"));
        assert_eq!(
            updater("ghcr.io/nicholas-fedor/watchtower"),
            Some("watchtower")
        );
        assert_eq!(updater("crazymax/diun:4"), None);
        assert_eq!(updater("me/watchtower-docs"), None);
    }
}
