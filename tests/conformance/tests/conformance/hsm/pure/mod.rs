//! The backend of pure functions (`hsm/crypto`): has every operation.

mod blocks;
mod cards;
mod dukpt;
mod emv;
mod keys;
mod macs;
mod pins;

use super::Backend;
use super::case::{Case, Trouble, Values};

pub(super) use emv::{data as cryptogram_data, scheme, transaction};
pub(super) use pins::same_pin;

/// The functions of `hsm/crypto`.
pub(super) struct PureFunctions;

impl Backend for PureFunctions {
    fn name(&self) -> &'static str {
        "pure functions"
    }

    fn lacks(&self, op: &str) -> Option<&'static str> {
        operation(op).is_none().then_some("unknown")
    }

    fn run(&self, case: &Case<'_>) -> Option<Result<Values, Trouble>> {
        Some(operation(case.op())?(case))
    }
}

type Operation = fn(&Case<'_>) -> Result<Values, Trouble>;

fn operation(name: &str) -> Option<Operation> {
    Some(match name {
        "aes_ecb_encrypt" => keys::aes_block,
        "kcv_aes" => keys::kcv_aes,
        "kcv_tdes" => keys::kcv_tdes,
        "key_check" => keys::check,
        "key_export_zmk_ecb" => keys::export,
        "key_from_components" => keys::components,
        "key_import_zmk_ecb" => keys::import,
        "key_parity_adjust" => keys::parity,
        "key_variant_atalla" => keys::atalla,
        "payshield_variant_lmk_encrypt" => keys::under_lmk,
        "fpe_ff1_encrypt" => keys::ff1,
        "tr31_unwrap" => blocks::unwrap,
        "cmac_aes" => macs::cmac_aes,
        "cmac_tdes" => macs::cmac_tdes,
        "mac_iso9797_alg1" => macs::algorithm_1,
        "mac_iso9797_alg3" => macs::algorithm_3,
        "mac_verify" => macs::verify,
        "pin_block_encode" => pins::encode,
        "pin_block_decode" => pins::decode,
        "pin_block_iso4_encipher" => pins::encipher,
        "pin_block_iso4_decipher" => pins::decipher,
        "pin_translate" => pins::translate,
        "cvv" => cards::cvv,
        "cvv_verify" => cards::cvv_verify,
        "dcvv" => cards::dcvv,
        "cvc3" => cards::cvc3,
        "visa_pvv" => cards::pvv,
        "visa_pvv_verify" => cards::pvv_verify,
        "ibm3624_offset" => cards::offset,
        "ibm3624_verify" => cards::offset_verify,
        "dukpt_tdes_initial_key" => dukpt::tdes::initial_key,
        "dukpt_tdes_transaction_key" => dukpt::tdes::transaction_key,
        "dukpt_tdes_keys" => dukpt::tdes::keys,
        "dukpt_tdes_data_key" => dukpt::tdes::data_key,
        "dukpt_tdes_data_encrypt" => dukpt::tdes::data_encrypt,
        "dukpt_tdes_data_decrypt" => dukpt::tdes::data_decrypt,
        "dukpt_tdes_mac" => dukpt::tdes::mac,
        "dukpt_tdes_cmac" => dukpt::tdes::cmac,
        "dukpt_tdes_pin_encrypt" => dukpt::tdes::pin_encrypt,
        "dukpt_tdes_pin_translate" => dukpt::tdes::pin_translate,
        "dukpt_aes_initial_key" => dukpt::aes::initial_key,
        "dukpt_aes_transaction_key" => dukpt::aes::transaction_key,
        "dukpt_aes_working_key" => dukpt::aes::working_key,
        "dukpt_aes_update_key" => dukpt::aes::update_key,
        "dukpt_aes_keys" => dukpt::aes::keys,
        "dukpt_aes_cmac" => dukpt::aes::cmac,
        "dukpt_aes_pin_translate" => dukpt::aes::pin_translate,
        "emv_icc_mk_option_a" => emv::option_a,
        "emv_icc_mk_option_b" => emv::option_b,
        "emv_common_session_key" => emv::common,
        "emv_visa_sm_session_key" => emv::visa_messaging,
        "emv_tree_session_key" => emv::tree,
        "emv_arqc" => emv::arqc,
        "emv_arqc_verify" => emv::arqc_verify,
        "emv_arpc" => emv::arpc,
        "emv_arpc_1" => emv::arpc_1,
        "emv_arpc_2" => emv::arpc_2,
        "emv_script_mac" => emv::script_mac,
        "emv_pin_change_command" => emv::pin_change,
        _ => return None,
    })
}
