//! Build logs: bytes in, figures of builds out.
//!
//! One incremental state machine. Bytes become lines (`decode`, `reader`; `quick` passes over what
//! means nothing), lines lose what other programs put before
//! or around them (`unwrap`, `prefix`, `objects`, `strings`), the lines of one speaker are told apart into builds (`lane`, with
//! `route`, `fold` and `beside`), what a vertex says is kept
//! (`words`, `open`, with `rawjson` and `classic` for the other forms) and at the end counted and judged
//! (`figures`). It never fails; what it could not read is counted and a sample is kept.
//!
//! Does not know where a log comes from, and asks no clock: a build that fell silent is only called over when
//! something in the log says so.

mod beside;
mod classic;
mod decode;
mod figures;
mod fold;
mod hints;
mod lane;
mod model;
mod name;
mod objects;
mod open;
mod prefix;
mod quick;
mod rawjson;
mod reader;
mod refuse;
mod route;
mod stamp;
mod strings;
mod tail;
mod unwrap;
mod words;

pub use model::{
    Base, Build, CacheSource, FIGURES, Format, PlatformSteps, Reading, Refused, Status, Step,
    StepState, Steps, Vertices,
};
pub use name::{Kind, Name};
pub use reader::BuildLog;
