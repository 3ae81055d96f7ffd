//! A message for people: a table with names, masked, and a hex dump with what is hidden marked.

use std::fmt::Write;

use crate::class::Content;
use crate::emv;
use crate::field::{Field, Sensitivity};
use crate::inside::{self, Parent};
use crate::mask;
use crate::message::Message;
use crate::shape::Shape;
use crate::spec::Spec;

/// Describes a message, masked. Fields that the spec does not know are shown by length only.
pub fn describe(spec: &Spec, message: &Message) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = writeln!(out, "MTI {}  {}", message.mti().escape_debug(), spec.title());
    for (number, content) in message.fields() {
        match spec.field(number) {
            Some(field) => row(field, mask::sensitivity(field, message), content, &mut out),
            None => {
                let _ = writeln!(out, "{number:>3}  {:<44} {:<12} [{} bytes]", "not in the spec", "", content.len());
            }
        }
    }
    for note in message.notes() {
        let _ = writeln!(out, "note: field {}{}: {} at byte {}", note.field, note.path, note.kind, note.offset);
    }
    if !message.frame().is_empty() {
        dump(spec, message, &mut out);
    }
    out
}

fn row(field: &Field, sensitivity: Sensitivity, content: &[u8], out: &mut String) {
    let Some(shown) = shown(field, sensitivity, content) else { return };
    let _ = writeln!(out, "{:>3}  {:<44} {:<12} {shown}", field.number, field.name, field.form());
    if sensitivity == Sensitivity::Clear {
        elements(field, content, 1, out);
    }
}

/// The elements of a structured content, each level further in; up to the first fault.
fn elements(field: &Field, content: &[u8], level: usize, out: &mut String) {
    if field.shape == Shape::BerTlv {
        for line in emv::describe_tlv(content) {
            let _ = writeln!(out, "{:gap$}{line}", "", gap = 4 + level * 3);
        }
        return;
    }
    for element in Parent::Field(field).walk(content).map_while(Result::ok) {
        let Some(value) = inside::read(&element, content) else { continue };
        let (name, shown) = match element.field {
            Some(field) => (field.name.as_str(), shown(field, field.sensitivity, &value)),
            None => ("not in the spec", Some(format!("[{} bytes]", value.len()))),
        };
        let Some(shown) = shown else { continue };
        let _ = writeln!(out, "{:gap$}{:<6} {name:<40} {shown}", "", element.label.as_str(), gap = 4 + level * 3);
        if let Some(field) = element.field.filter(|field| field.sensitivity == Sensitivity::Clear) {
            elements(field, &value, level + 1, out);
        }
    }
}

/// The content as it may be shown; `None` for what is left out.
fn shown(field: &Field, sensitivity: Sensitivity, content: &[u8]) -> Option<String> {
    match (&field.shape, std::str::from_utf8(content)) {
        _ if sensitivity == Sensitivity::Drop => None,
        (shape, _) if sensitivity == Sensitivity::Clear && *shape != Shape::Plain => Some(format!("[{} bytes]", content.len())),
        (_, Ok(text)) if field.content != Content::B => mask::text(sensitivity, text).map(|text| format!("{text:?}")),
        _ => mask::text(sensitivity, &hex::encode_upper(content)),
    }
}

/// 16 bytes a line. Bytes of anything that may hold card data are `**`.
fn dump(spec: &Spec, message: &Message, out: &mut String) {
    let frame = message.frame();
    let visible = visible_bytes(spec, message);
    for (line, bytes) in frame.chunks(16).enumerate() {
        let start = line * 16;
        let show = |at: usize| visible.get(start + at).copied().unwrap_or(false);
        let _ = write!(out, "{start:04X} ");
        for (at, byte) in bytes.iter().enumerate() {
            let _ = if show(at) { write!(out, " {byte:02X}") } else { write!(out, " **") };
        }
        let gap = (16 - bytes.len()) * 3 + 2;
        let _ = write!(out, "{:gap$}", "");
        out.extend(bytes.iter().enumerate().map(|(at, byte)| match byte {
            _ if !show(at) => '*',
            0x20..=0x7E => char::from(*byte),
            _ => '.',
        }));
        out.push('\n');
    }
}

/// Which bytes of the frame may be shown: MTI and bitmaps, and what the fields allow. Decided by
/// reading the frame's layout again; what cannot be laid out is hidden.
fn visible_bytes(spec: &Spec, message: &Message) -> Vec<bool> {
    let mut visible = vec![false; message.frame().len()];
    for span in spec.layout(message.frame()) {
        let Some(bytes) = visible.get_mut(span.start..span.end) else { continue };
        match span.field {
            None => bytes.fill(true),
            // Elements have sensitivities of their own; none of their bytes are shown here.
            Some(field) if field.shape != Shape::Plain => bytes.fill(false),
            Some(field) => {
                let sensitivity = mask::sensitivity(field, message);
                let plain = crate::charset::is_plain(field.charset);
                let length = bytes.len();
                for (at, byte) in bytes.iter_mut().enumerate() {
                    *byte = match sensitivity {
                        Sensitivity::Mask => plain && mask::shows(Sensitivity::Mask, length, at),
                        other => mask::shows(other, length, at),
                    };
                }
            }
        }
    }
    visible
}
