//! The conformance groups, one module each (`./dev conformance GROUP`).

mod hsm;
mod iso8583;
