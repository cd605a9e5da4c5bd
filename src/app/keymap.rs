//! Which key means which command, after the configuration had its say.

use std::collections::BTreeMap;

use super::commands::{COMMANDS, Command};
use super::keys::Key;

/// The keys of all commands.
#[derive(Debug, Clone)]
pub struct Keymap {
    keys: Vec<(Key, &'static Command)>,
}

impl Keymap {
    /// Builds the keymap from the table and the operator's own keys.
    ///
    /// A binding that cannot be used is left out and said; all others stand.
    pub fn new(custom: &BTreeMap<String, Vec<String>>) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut own: BTreeMap<&str, Vec<Key>> = BTreeMap::new();
        let mut taken: BTreeMap<Key, &str> = BTreeMap::new();
        for (id, texts) in custom {
            let Some(command) = COMMANDS.iter().find(|command| command.id == id) else {
                problems.push(format!(
                    "keys: there is no command {id:?}; see homelab-tui keys"
                ));
                continue;
            };
            for text in texts {
                match text.parse::<Key>() {
                    Err(error) => problems.push(format!("keys: {id}: {error}")),
                    Ok(key) => {
                        if let Some(other) = taken.get(&key) {
                            problems.push(format!("keys: {id}: {key} is already used for {other}"));
                            continue;
                        }
                        taken.insert(key, command.id);
                        own.entry(command.id).or_default().push(key);
                    }
                }
            }
        }
        let mut keys = Vec::new();
        for command in COMMANDS {
            if let Some(chosen) = own.get(command.id) {
                keys.extend(chosen.iter().map(|key| (*key, command)));
                continue;
            }
            let usual = command.keys.iter().filter_map(|text| text.parse().ok());
            // A key that the operator gave to another command is no longer this one's.
            keys.extend(
                usual
                    .filter(|key| !taken.contains_key(key))
                    .map(|key| (key, command)),
            );
        }
        (Self { keys }, problems)
    }

    /// Returns the command of a key.
    pub fn command(&self, key: Key) -> Option<&'static Command> {
        self.keys
            .iter()
            .find(|(own, _)| *own == key)
            .map(|(_, command)| *command)
    }

    /// Returns the keys of a command.
    pub fn keys_of(&self, id: &str) -> impl Iterator<Item = Key> {
        self.keys
            .iter()
            .filter(move |(_, command)| command.id == id)
            .map(|(key, _)| *key)
    }

    /// Returns the first key of a command as text, empty where it has none.
    pub fn shown(&self, id: &str) -> String {
        self.keys_of(id)
            .next()
            .map(|key| key.to_string())
            .unwrap_or_default()
    }

    /// Names a command within a sentence: by its first key, by its own name where no key is left to it.
    pub fn named(&self, id: &str) -> String {
        match self.keys_of(id).next() {
            Some(key) => key.to_string(),
            None => format!("command {id}"),
        }
    }
}

impl Default for Keymap {
    fn default() -> Self {
        Self::new(&BTreeMap::new()).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_key_parses_and_means_one_thing() {
        let mut seen = BTreeMap::new();
        for command in COMMANDS {
            for text in command.keys {
                let key: Result<Key, _> = text.parse();
                assert!(key.is_ok(), "{}: {text}", command.id);
                assert_eq!(
                    seen.insert(key.ok(), command.id),
                    None,
                    "{text} of {}",
                    command.id
                );
            }
        }
    }

    #[test]
    fn e7_one_wrong_binding_does_not_take_the_others_down() {
        let custom = BTreeMap::from([
            (
                "quit".to_owned(),
                vec!["x".to_owned(), "hyper-q".to_owned()],
            ),
            ("nonsense".to_owned(), vec!["z".to_owned()]),
        ]);
        let (keymap, problems) = Keymap::new(&custom);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert_eq!(
            keymap.command(Key::char('x')).map(|command| command.id),
            Some("quit")
        );
        assert_eq!(
            keymap.command(Key::char('q')).map(|command| command.id),
            None
        );
        assert_eq!(
            keymap.command(Key::char('?')).map(|command| command.id),
            Some("help")
        );
    }
}
