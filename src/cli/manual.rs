//! `completions` and `man`, made from the command line's own types.

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::arguments::Arguments;
use super::exit::Exit;
use super::output::{Failed, Output};

/// Prints completions for a shell.
pub fn completions(shell: clap_complete::Shell, output: &mut Output<'_>) -> Result<Exit, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "homelab-tui", &mut script);
    output.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Prints the manual page.
pub fn man(output: &mut Output<'_>) -> Result<Exit, Failed> {
    output.text(&page())?;
    Ok(Exit::Done)
}

const EXIT_CODES: [(&str, &str); 5] = [
    ("0", "Done."),
    ("1", "doctor found a broken link."),
    (
        "2",
        "Wrong usage, no such target, or a configuration that cannot be used; config check found an error.",
    ),
    (
        "3",
        "status --exit-code: something is neither current nor local.",
    ),
    (
        "4",
        "status --exit-code: something is unknown. builds parse: a log was refused.",
    ),
];

const ENVIRONMENT: [(&str, &str); 3] = [
    (
        "HOMELAB_TUI_CONFIG",
        "The configuration file, where -c does not give one.",
    ),
    ("NO_COLOR", "Set to anything, it takes the colours away."),
    ("TERM", "linux chooses the glyphs of the Linux console."),
];

const FILES: [(&str, &str); 4] = [
    ("~/.config/homelab-tui/config.yaml", "The configuration."),
    ("~/.config/homelab-tui/themes/", "Own themes."),
    (
        "~/.cache/homelab-tui/",
        "What was last seen of the fleet, and registry answers by digest; may be deleted.",
    ),
    ("~/.local/state/homelab-tui/console.log", "The log."),
];

fn page() -> String {
    let mut command = Arguments::command();
    command.build();
    let mut bytes = Vec::new();
    let main = Man::new(command.clone());
    let parts = [
        Man::render_title,
        Man::render_name_section,
        Man::render_synopsis_section,
        Man::render_description_section,
        Man::render_options_section,
    ];
    for part in parts {
        // Writing to memory cannot fail.
        let _ = part(&main, &mut bytes);
    }
    let mut page = String::from_utf8_lossy(&bytes).into_owned();
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    commands(&mut roff, &mut command, "");
    for (title, entries) in [
        ("EXIT STATUS", &EXIT_CODES[..]),
        ("ENVIRONMENT", &ENVIRONMENT),
        ("FILES", &FILES),
    ] {
        roff.control("SH", [title]);
        for (name, meaning) in entries {
            roff.control("TP", []);
            roff.text([bold(*name)]);
            roff.text([roman(*meaning)]);
        }
    }
    page.push_str(&roff.to_roff());
    page
}

/// Lists every command with what it does and its own options.
fn commands(roff: &mut Roff, command: &mut clap::Command, above: &str) {
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
        .map(|inner| inner.get_name().to_owned())
        .collect();
    for name in names {
        let Some(inner) = command.find_subcommand_mut(&name) else {
            continue;
        };
        let path = format!("{above}{name}");
        // Some commands do something by themselves, too.
        if inner.has_subcommands() && inner.is_subcommand_required_set() {
            commands(roff, inner, &format!("{path} "));
            continue;
        }
        let own: Vec<_> = inner
            .get_arguments()
            .filter(|argument| !argument.is_global_set() && argument.get_id() != "help")
            .map(|argument| {
                (
                    argument.to_string(),
                    argument.get_help().map(ToString::to_string),
                )
            })
            .collect();
        let line: Vec<_> = own.iter().map(|(name, _)| name.as_str()).collect();
        roff.control("TP", []);
        roff.text([bold(path.clone()), roman(" "), roman(line.join(" "))]);
        let about = inner
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default();
        roff.text([roman(about), roman(".")]);
        for (name, help) in own {
            roff.control("RS", []);
            roff.control("TP", []);
            roff.text([bold(name)]);
            roff.text([roman(help.unwrap_or_default()), roman(".")]);
            roff.control("RE", []);
        }
        if inner.has_subcommands() {
            commands(roff, inner, &format!("{path} "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_names_every_command_and_option() {
        let page = page().replace("\\-", "-");
        let command = Arguments::command();
        for inner in command.get_subcommands() {
            assert!(page.contains(inner.get_name()), "{}", inner.get_name());
        }
        for argument in command.get_arguments() {
            if let Some(long) = argument.get_long() {
                assert!(page.contains(&format!("--{long}")), "{long}");
            }
        }
        for section in [
            "NAME",
            "SYNOPSIS",
            "OPTIONS",
            "COMMANDS",
            "EXIT STATUS",
            "FILES",
        ] {
            assert!(page.contains(section), "{section}");
        }
    }
}
