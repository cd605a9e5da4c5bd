//! The functions of a job's script that set and take back the files of a pin, byte by byte.

use super::quote;
use crate::core::rollout::pin::{
    BLOCK_BEGIN, BLOCK_END, Block, FileChange, How, NO_FILE, NO_LINE_END,
};
use crate::core::rollout::plan::TargetPlan;

/// Writes them; without a pin they do nothing.
pub(super) fn functions(plan: &TargetPlan, text: &mut String) {
    let changes: &[FileChange] = plan.pin.as_ref().map_or(&[], |pin| pin.changes.as_slice());
    text.push_str("pin_is_new() { :\n");
    for change in changes {
        match change {
            FileChange::Own {
                name, before: None, ..
            } => text.push_str(&format!("[ ! -e {} ] || return 1\n", quote(name))),
            FileChange::Own {
                name,
                before: Some(before),
                ..
            } => text.push_str(&format!(
                "[ \"$(cat {}; printf x)\" = {} ] || return 1\n",
                quote(name),
                quote(&format!("{before}x"))
            )),
            FileChange::AddBlock(_) => text.push_str("! has_block || return 1\n"),
            FileChange::RemoveBlock => text.push_str("has_block || return 1\n"),
        }
    }
    text.push_str("}\npin_write() { :\n");
    for change in changes {
        match change {
            FileChange::Own {
                name,
                before,
                after,
            } => write_file(name, before.is_none(), after.as_deref(), text),
            FileChange::AddBlock(block) => add_block(block, text),
            FileChange::RemoveBlock => text.push_str("remove_block || return 1\n"),
        }
    }
    text.push_str("}\npin_undo() { :\n");
    for change in changes.iter().rev() {
        match change {
            FileChange::Own { name, before, .. } => {
                write_file(name, false, before.as_deref(), text);
            }
            FileChange::AddBlock(_) => {
                text.push_str("if has_block; then remove_block || return 1; fi\n");
            }
            // Only an unpin takes it out, and what follows there cannot fail.
            FileChange::RemoveBlock => {}
        }
    }
    text.push_str("}\n");
    let how = plan.pin.as_ref().map_or("", |pin| match pin.how {
        How::Override => "override",
        How::Env => "env",
    });
    text.push_str(&format!("PIN={how}\n"));
    text.push_str(&format!(
        "BLOCK_BEGIN={}\nBLOCK_END={}\nNO_LINE_END={}\nNO_FILE={}\n",
        quote(BLOCK_BEGIN),
        quote(BLOCK_END),
        quote(NO_LINE_END),
        quote(NO_FILE)
    ));
}

fn add_block(block: &Block, text: &mut String) {
    let line_end = if block.line_end { "yes" } else { "" };
    text.push_str(&format!(
        "add_block {} \"{line_end}\" || return 1\n",
        quote(&block.text)
    ));
}

fn write_file(name: &str, exclusive: bool, content: Option<&str>, text: &mut String) {
    let name = quote(name);
    match content {
        None => text.push_str(&format!("rm -f {name} || return 1\n")),
        Some(content) => {
            let exclusive = if exclusive { "yes" } else { "" };
            text.push_str(&format!(
                "write_file {name} {} \"{exclusive}\" || return 1\n",
                quote(content)
            ));
        }
    }
}
