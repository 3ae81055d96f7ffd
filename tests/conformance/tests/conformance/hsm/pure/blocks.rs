//! Key blocks.

use crypto::keyblock::{self, ProtectionKey, Version};
use serde_json::{Value, json};

use super::super::case::{Case, Trouble, Values, of_key, shown, values};

/// Takes the block apart, wraps what was in it anew, and takes that apart, too.
pub(super) fn unwrap(case: &Case<'_>) -> Result<Values, Trouble> {
    let block = case.text("key_block")?;
    let protection = ProtectionKey::new(Version::of(block)?, &case.bytes("kbpk")?).map_err(of_key("kbpk"))?;
    let (header, key) = keyblock::unwrap(&protection, block)?;
    let again = keyblock::wrap(&protection, &header, &key, &[0xA5; 48])?;
    let (second, clear) = keyblock::unwrap(&protection, &again)?;
    let kept =
        |header: &keyblock::Header| -> Vec<_> { header.blocks().iter().filter(|block| !block.is_padding()).cloned().collect() };
    let same = (second.usage(), second.mode(), second.exportability(), kept(&second))
        == (header.usage(), header.mode(), header.exportability(), kept(&header));
    if clear != key || !same {
        return Err(Trouble::Refused("wrapped again, another key or header".to_owned()));
    }
    let blocks: Vec<Value> = header.blocks().iter().map(|block| json!([block.id(), block.data()])).collect();
    values([
        ("key", shown(key.reveal())),
        ("version", header.version().letter().to_string().into()),
        ("key_usage", header.usage().into()),
        ("algorithm", header.algorithm().to_string().into()),
        ("mode_of_use", header.mode().to_string().into()),
        ("key_version", header.key_version().into()),
        ("exportability", header.exportability().to_string().into()),
        ("optional_blocks", blocks.into()),
    ])
}
