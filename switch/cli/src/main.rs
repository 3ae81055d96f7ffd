//! The one binary: see the library.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    switchyard::main()
}
