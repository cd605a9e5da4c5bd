//! The cases, by subject.

mod is_the_lab;
