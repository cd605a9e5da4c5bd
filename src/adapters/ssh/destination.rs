//! Where an ssh connection goes, as arguments for ssh and as words for people.

use crate::core::host::Address;
use crate::core::settings::SshSettings;

/// The destination of one ssh connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub user: Option<String>,
    /// A name, an address, or an alias of the ssh configuration.
    pub host: String,
    pub port: Option<u16>,
    pub config_file: Option<String>,
}

impl Destination {
    /// Reads the destination from an `ssh://` address; other addresses have none.
    pub fn from_address(address: &Address, settings: &SshSettings) -> Option<Self> {
        match address {
            Address::Ssh {
                user,
                destination,
                port,
            } => Some(Self {
                user: user.clone(),
                host: destination.clone(),
                port: *port,
                config_file: settings.config_file.clone(),
            }),
            Address::Local | Address::Unix(_) | Address::Tcp { .. } => None,
        }
    }

    /// Returns the arguments that name the destination, ending with it.
    pub fn arguments(&self) -> Vec<String> {
        let mut list = Vec::new();
        if let Some(file) = &self.config_file {
            list.extend(["-F".to_owned(), file.clone()]);
        }
        if let Some(port) = self.port {
            list.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(user) = &self.user {
            list.extend(["-l".to_owned(), user.clone()]);
        }
        list.push(self.host.clone());
        list
    }

    /// Returns the command that a person would type to reach the same place.
    pub fn typed(&self) -> String {
        let mut text = "ssh".to_owned();
        if let Some(file) = &self.config_file {
            text.push_str(&format!(" -F {file}"));
        }
        if let Some(port) = self.port {
            text.push_str(&format!(" -p {port}"));
        }
        text.push(' ');
        if let Some(user) = &self.user {
            text.push_str(&format!("{user}@"));
        }
        text.push_str(&self.host);
        text
    }

    /// Returns the name under which known hosts list the place.
    pub fn known_as(&self) -> String {
        match self.port {
            Some(port) if port != 22 => format!("[{}]:{port}", self.host),
            _ => self.host.clone(),
        }
    }
}
