//! Arguments, wiring, exit code; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    homelab_tui::cli::main().into()
}
