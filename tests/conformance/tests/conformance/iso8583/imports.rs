//! Tables of other tools, imported, decode as ours do: the packagers of the vectors in the XML of jPOS against
//! the shipped dialects that have their facts from them, and every dialect written out as the JSON of a moov
//! spec against itself. The same messages are read with both, field by field, and written again with both.

mod jpos;
mod moov;

use bytes::Bytes;
use iso8583::Spec;

use super::generate;

/// Messages of a dialect.
const MESSAGES: usize = 3_000;
const SEED: u64 = 20_261_124;

/// Reads the same messages of these fields with both.
fn decode_alike(ours: &Spec, theirs: &Spec, numbers: &[u8]) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(SEED);
    for _ in 0..MESSAGES {
        let message = generate::message(ours, numbers, &mut random);
        let wire = Bytes::from(ours.encode(&message).map_err(|error| format!("not written by ours: {error}"))?);
        let read = ours.decode(wire.clone()).map_err(|error| format!("not read by ours: {error}"))?;
        let imported = theirs.decode(wire.clone()).map_err(|error| format!("not read by the imported one: {error}"))?;
        let fields = |message: &iso8583::Message| -> Vec<(u8, Vec<u8>)> {
            message.fields().map(|(number, content)| (number, content.to_vec())).collect()
        };
        if imported.mti() != read.mti() || imported.len() != read.len() {
            return Err("another MTI, or more or less fields".to_owned());
        }
        if let Some((ours, theirs)) = fields(&read).iter().zip(fields(&imported)).find(|(ours, theirs)| *ours != theirs) {
            let text = |content: &[u8]| String::from_utf8_lossy(content).into_owned();
            return Err(format!("field {}: ours {:?}, imported {}: {:?}", ours.0, text(&ours.1), theirs.0, text(&theirs.1)));
        }
        let mut anew = iso8583::Message::new(imported.mti());
        for (number, content) in imported.fields() {
            anew.set(number, content);
        }
        let again = theirs.encode(&anew).map_err(|error| format!("not written by the imported one: {error}"))?;
        if again != wire {
            return Err(format!("written by the imported one: {}, by ours {}", hex::encode(again), hex::encode(wire)));
        }
    }
    Ok(())
}
