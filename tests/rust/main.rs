//! The core's tests: one binary, one module for each module of the core.

mod secrets;
