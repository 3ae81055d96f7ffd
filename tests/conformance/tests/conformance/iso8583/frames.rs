//! Cases of frames.

use serde_json::Value;

pub(super) fn run(_case: &Value) -> Result<(), String> {
    Err("frames are not run yet".to_owned())
}
