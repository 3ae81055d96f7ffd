//! The conformance groups, one module each (`./dev conformance GROUP`).

mod iso8583;
