//! Cases of frames: a neutral description becomes a framing, as a configuration would write it.

use bytes::BytesMut;
use iso8583::{Frame, FrameError, Framing, ZeroLength};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    header: String,
    /// None without a length.
    bytes: Option<usize>,
    order: Option<String>,
    #[serde(default)]
    inclusive: bool,
    #[serde(default)]
    tpdu: usize,
    #[serde(default)]
    filler: usize,
    limit: usize,
    zero_length: ZeroLength,
    #[serde(default)]
    stx_etx_lrc: bool,
}

impl Described {
    fn framing(&self) -> Result<Framing, String> {
        let mut table = json!({ "length": self.header, "zero_length": self.zero_length_name() });
        let mut put = |key: &str, value: Value| table.as_object_mut().and_then(|table| table.insert(key.to_owned(), value));
        if self.header != "none" {
            put("bytes", json!(self.bytes));
            put("inclusive", json!(self.inclusive));
            put("filler", json!(self.filler));
        }
        if let ("binary", Some(order)) = (self.header.as_str(), &self.order) {
            put("order", json!(order));
        }
        if self.tpdu > 0 {
            put("header", json!("00".repeat(self.tpdu)));
        }
        if self.stx_etx_lrc {
            put("stx_etx_lrc", json!(true));
        }
        let framing: Framing = serde_json::from_value(table).map_err(|error| format!("no such framing: {error}"))?;
        Ok(framing.with_cap(self.limit))
    }

    fn zero_length_name(&self) -> &'static str {
        match self.zero_length {
            ZeroLength::KeepAlive => "keep-alive",
            ZeroLength::Error => "error",
            ZeroLength::Deliver => "deliver",
        }
    }
}

pub(super) fn run(case: &Value) -> Result<(), String> {
    let described: Described = serde_json::from_value(case["frame"].clone()).map_err(|error| format!("frame: {error}"))?;
    let wire = hex::decode(case["hex"].as_str().unwrap_or_default()).map_err(|error| format!("hex: {error}"))?;
    let framing = described.framing()?;
    let whole = read(framing, &[&wire]);
    let bytes: Vec<&[u8]> = wire.chunks(1).collect();
    if read(framing, &bytes) != whole {
        return Err("one byte at a time it is read otherwise".to_owned());
    }
    match (case["expect"].as_str(), whole) {
        (Some("ok"), (frames, Ok(()))) => {
            let got: Vec<String> = frames.iter().map(|frame| hex::encode_upper(&frame.message)).collect();
            if json!(got) != case["messages_hex"] {
                return Err(format!("{} messages that are not the case's", got.len()));
            }
            written_again(&described, &wire)
        }
        (Some("error"), (frames, Err(error))) => {
            refused_rightly(&case["error"], frames.len(), described.bytes.unwrap_or(0), error)
        }
        (_, (frames, Ok(()))) => Err(format!("{} messages, and no error", frames.len())),
        (_, (_, Err(error))) => Err(format!("{}: {error}", error.kind())),
    }
}

/// Frames of a stream that comes in these parts, and how it ended.
fn read(framing: Framing, parts: &[&[u8]]) -> (Vec<Frame>, Result<(), FrameError>) {
    let (mut buffer, mut frames) = (BytesMut::new(), Vec::new());
    for part in parts {
        buffer.extend_from_slice(part);
        loop {
            match framing.split(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, framing.finish(&buffer))
}

/// What was read, empty frames too, is written as it came.
fn written_again(described: &Described, wire: &[u8]) -> Result<(), String> {
    let framing = Described {
        zero_length: ZeroLength::Deliver,
        header: described.header.clone(),
        order: described.order.clone(),
        ..*described
    }
    .framing()?;
    let mut again = BytesMut::new();
    for frame in read(framing, &[wire]).0 {
        framing.write(&frame.header, &frame.message, &mut again).map_err(|error| format!("not written again: {error}"))?;
    }
    if again == wire { Ok(()) } else { Err("written again it is another stream".to_owned()) }
}

/// Two kinds are told by more than one of ours. A reader sees one frame at a time: a wrong length ends a
/// message at the wrong byte, and only the next frame shows it, so whatever stands there behind a whole
/// frame is a stream out of step. And a stream that ends in a frame whose length came whole is
/// incomplete, or, seen from that length, truncated.
fn refused_rightly(wanted: &Value, before: usize, length: usize, error: FrameError) -> Result<(), String> {
    let right = match wanted["kind"].as_str() {
        None | Some("any") => true,
        Some("desync") => error.kind() == "desync" || before > 0,
        Some("truncated") => match error {
            FrameError::Incomplete { got, .. } => got >= length,
            _ => error.kind() == "truncated",
        },
        Some(kind) => kind == error.kind(),
    };
    if !right {
        return Err(format!("{} was wanted, got {}: {error}", wanted["kind"], error.kind()));
    }
    match wanted["offset"].as_u64() {
        Some(offset) if usize::try_from(offset) != Ok(error.offset()) => {
            Err(format!("offset {offset} was wanted, got {}", error.offset()))
        }
        _ => Ok(()),
    }
}
