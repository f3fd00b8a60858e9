//! Puts what `llm-vcr demo` runs where maturin takes it into the wheel: the example suite and the provider stand-in, which stand where
//! contributors look for them. A crate without them (from a registry of crates) is built all the same.

use std::{env, fs, io, path::Path};

const PARTS: [&str; 2] = ["examples", "tests/fake_provider"];

fn main() -> io::Result<()> {
    let Some(out) = env::var_os("OUT_DIR") else { return Ok(()) };
    let demo = Path::new(&out).join("demo");
    if demo.exists() {
        // What was renamed or removed must not stay.
        fs::remove_dir_all(&demo)?;
    }
    for part in PARTS {
        println!("cargo::rerun-if-changed={part}");
        if !Path::new(part).is_dir() {
            continue;
        }
        fs::create_dir_all(demo.join(part))?;
        for file in fs::read_dir(part)? {
            let file = file?;
            if file.file_type()?.is_file() {
                fs::copy(file.path(), demo.join(part).join(file.file_name()))?;
            }
        }
    }
    Ok(())
}
