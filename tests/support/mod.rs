//! What tests against the lab stand on. Knows nothing of the product's own code.
//!
//! ```ignore
//! #[test]
//! fn an_update_is_seen() {
//!     let Some(lab) = Lab::here() else { return };        // Lab::alone() if the test breaks a host
//!     let registry = lab.registry("plain");
//!     let repo = unique("app");
//!     // Engines remember digests for ever and graph stores merge equal images of all repositories:
//!     // every test has images of its own, by a label or a layer that nobody else has.
//!     let first = Image::busybox(&lab).label("of", &repo).layer(Layer::random(fresh_seed(), 5000)).build();
//!     registry.push(&repo, "latest", &first);
//!     let host = lab.host("ctd28");
//!     let project = host.project(&unique("p"), &format!("services:\n  web:\n    image: {}\n",
//!         registry.reference(&repo, "latest")));
//!     project.compose(&["up", "-d"]);                     // down again when `project` is dropped
//!     let output = lab.console(&["status", "--json"]).output().unwrap();
//! }
//! ```
//!
//! | module | is for |
//! |---|---|
//! | [`lab`] | where the lab is, tests that must be alone, the product's own binary |
//! | [`host`] | commands, docker, compose projects and faults on a host |
//! | [`image`] | images and indexes made blob by blob |
//! | [`archive`] | bytes of tar, gzip and zstd |
//! | [`dice`] | chance that can be repeated; test programs without a lab take it alone |
//! | [`registry`] | filling a registry and reading what it was asked |
//! | [`tailnet`] | a tailnet of real tailscaled, where their binaries are at hand |

pub mod archive;
pub mod dice;
pub mod host;
pub mod http;
pub mod image;
pub mod lab;
pub mod proxy;
pub mod registry;
pub mod tailnet;

pub use dice::Dice;
pub use host::{Host, Project};
pub use image::{Image, Index, Layer, Packing};
pub use lab::{Lab, fresh_seed, unique};
pub use registry::Registry;
