"""psec, pyemv and pydukpt on the operations of the shared vectors: a line in, a line out, until the input ends.

Each line is {"op": ..., "inputs": {...}} with the names of hsm/vectors.json; the answer is {"values": {...}} by
the names of what such a case expects, or {"error": "..."} where the library refused. Byte strings are upper-case
hexadecimal text. Operations that are theirs alone have names that no vector has: `tr31_wrap`.
"""

import json
import sys
import warnings

import pydukpt
from psec import cvv, des, mac, pin, pinblock, tr31
from pyemv import ac, cvn, kd
from pyemv import cvv as dynamic

# cryptography warns of every double-length key that psec and pyemv give it.
warnings.filterwarnings("ignore")


class Inputs:
    """Inputs by name: `given.pan` is text, `given("key")` bytes."""

    def __init__(self, values):
        self.values = values

    def __getattr__(self, name):
        return self.values[name]

    def __call__(self, name):
        return bytes.fromhex(self.values[name])

    def __contains__(self, name):
        return name in self.values


def shown(data):
    return bytes(data).hex().upper()


# PINs and PIN blocks.

ENCODE = {0: pinblock.encode_pinblock_iso_0, 3: pinblock.encode_pinblock_iso_3}
DECODE = {0: pinblock.decode_pinblock_iso_0, 3: pinblock.decode_pinblock_iso_3}


def pin_block_encode(given):
    if given.format == 2:
        return {"pin_block": shown(pinblock.encode_pinblock_iso_2(given.pin))}
    return {"pin_block": shown(ENCODE[given.format](given.pin, given.pan))}


def pin_block_decode(given):
    if given.format == 2:
        return {"pin": pinblock.decode_pinblock_iso_2(given("pin_block"))}
    return {"pin": DECODE[given.format](given("pin_block"), given.pan)}


def iso4_encipher(given):
    return {"encrypted_pin_block": shown(pinblock.encipher_pinblock_iso_4(given("key"), given.pin, given.pan))}


def iso4_decipher(given):
    return {"pin": pinblock.decipher_pinblock_iso_4(given("key"), given("encrypted_pin_block"), given.pan)}


def pin_translate(given):
    clear = pinblock.decode_pinblock_iso_0(des.decrypt_tdes_ecb(given("src_key"), given("src_block")), given.pan)
    block = des.encrypt_tdes_ecb(given("dst_key"), pinblock.encode_pinblock_iso_0(clear, given.pan))
    return {"pin": clear, "pin_block_under_dst": shown(block)}


def account(given):
    return given.pan, given.pan_verify_offset, given.pan_verify_length, given.pan_pad


def ibm3624_offset(given):
    key, table = given("pvk"), given.decimalization_table
    return {
        "offset": pin.generate_ibm3624_offset(key, table, given.pin, *account(given)),
        "natural_pin": pin.generate_ibm3624_pin(key, table, "0" * len(given.pin), *account(given)),
    }


def ibm3624_verify(given):
    right = pin.generate_ibm3624_pin(given("pvk"), given.decimalization_table, given.offset, *account(given))
    return {"valid": right == given.pin}


def visa_pvv(given):
    return {"value": pin.generate_visa_pvv(given("pvk"), given.pvki, given.pin, given.pan)}


# Card verification values.


def card_key(given, key="imk"):
    derive = kd.derive_icc_mk_b if given.mk_option == "B" else kd.derive_icc_mk_a
    return derive(given(key), given.pan, given.psn)


def dcvv(given):
    pan = given.atc_decimal + given.pan[4:]
    return {"value": cvv.generate_cvv(card_key(given), pan, given.expiry, given.service_code)}


def cvc3(given):
    return {"value": dynamic.generate_cvc3(card_key(given), given("track_template"), given("atc"), given("un"))}


# Keys and MACs.


def algorithm_1(given):
    kind = mac.Algorithm.AES if given.cipher == "AES" else mac.Algorithm.DES
    return {"mac": shown(mac.generate_cbc_mac(given("key"), given("data"), given.padding, given.mac_len, kind))}


def algorithm_3(given):
    key = given("key")
    return {"mac": shown(mac.generate_retail_mac(key[:8], key[8:], given("data"), given.padding, given.mac_len))}


def export(given):
    sealed = des.encrypt_tdes_ecb(given("zmk"), given("key"))
    return {"key_under_zmk": shown(sealed), "kcv": shown(des.generate_kcv(given("key"), 3))}


def unwrap(given):
    header, key = tr31.unwrap(given("kbpk"), given.key_block)
    return {
        "key": shown(key),
        "version": header.version_id,
        "key_usage": header.key_usage,
        "algorithm": header.algorithm,
        "mode_of_use": header.mode_of_use,
        "key_version": header.version_num,
        "exportability": header.exportability,
        "optional_blocks": dict(header.blocks),
    }


def wrap(given):
    header = tr31.Header(given.version, given.key_usage, given.algorithm, given.mode_of_use, given.key_version, given.exportability)
    header.blocks.update(given.optional_blocks)
    return {"key_block": tr31.wrap(given("kbpk"), header, given("key"))}


# TDES DUKPT.


def transaction(given):
    initial = pydukpt.derive_ipek(given("bdk"), given("ksn"))
    return initial, pydukpt.derive_key(initial, given("ksn"))


def dukpt_keys(given):
    initial, key = transaction(given)
    return {
        "initial_key": shown(initial),
        "transaction_key": shown(key),
        "pin_key": shown(pydukpt.pin_key(key)),
        "mac_request_key": shown(pydukpt.mac_request_key(key)),
        "mac_response_key": shown(pydukpt.mac_response_key(key)),
        "data_request_key": shown(pydukpt.data_request_key(key)),
        "data_response_key": shown(pydukpt.data_response_key(key)),
    }


def dukpt_pin_encrypt(given):
    key = transaction(given)[1]
    block = pydukpt.encrypt_pin(key, given.pin, given.pan)
    return {"pin_key": shown(pydukpt.pin_key(key)), "encrypted_pin_block": shown(block)}


def dukpt_mac(given):
    makers = {"mac_request": pydukpt.mac_request_key, "mac_response": pydukpt.mac_response_key}
    key = bytes(makers[given.variant](transaction(given)[1]))
    made = mac.generate_retail_mac(key[:8], key[8:], given("data"), given.padding)
    return {"mac_key": shown(key), "mac": shown(made)}


def dukpt_data(given):
    key = bytes(pydukpt.data_request_key(transaction(given)[1]))
    return {"ciphertext": shown(des.encrypt_tdes_cbc(key, bytes(8), given("data")))}


# Chip cards.

SCHEMES = {
    "visa_cvn10": cvn.VisaCVN10,
    "visa_cvn18": cvn.VisaCVN18,
    "visa_cvn22": cvn.VisaCVN22,
    "mc_cvn16": cvn.MasterCardCVN16,
    "mc_cvn17": cvn.MasterCardCVN17,
    "mc_cvn20": cvn.MasterCardCVN20,
    "mc_cvn21": cvn.MasterCardCVN21,
    "interac_cvn133": cvn.InteracCVN133,
}


def scheme(given):
    keys = [given(name) if name in given else bytes(range(16)) for name in ("imk_ac", "imk_smi", "imk_smc")]
    return SCHEMES[given.scheme](*keys, given.pan, given.psn)


def named(given, *names):
    """What the case has of these, for a function that wants just that."""
    return {name: given(name) for name in names if name in given}


def arqc(given):
    card = scheme(given)
    tags = [name for name in given.values if name.startswith("tag_")]
    made = card.generate_ac(**named(given, *tags, "cvr", "counters"))
    return {"arqc": shown(made), "icc_mk_ac": shown(card.icc_mk_ac)}


def arpc(given):
    status = named(given, "csu", "proprietary_auth_data", "arpc_rc")
    return {"arpc": shown(scheme(given).generate_arpc(**named(given, "tag_9f26", "tag_9f36", "tag_9f37"), **status))}


def script_mac(given):
    parts = named(given, "command_header", "tag_9f26", "tag_9f36", "command_data")
    return {"mac": shown(scheme(given).generate_command_mac(**parts))}


def pin_change(given):
    parts = named(given, "tag_9f26", "tag_9f36")
    if "current_pin" in given:
        parts["current_pin"] = given.current_pin
    return {"command": shown(scheme(given).generate_pin_change_command(pin=given.pin, **parts))}


def tree(given):
    key = kd.derive_emv2000_tree_sk(given("icc_mk"), given("atc"), given.height, given.branch_factor, given("iv"))
    return {"key": shown(key)}


OPERATIONS = {
    "pin_block_encode": pin_block_encode,
    "pin_block_decode": pin_block_decode,
    "pin_block_iso4_encipher": iso4_encipher,
    "pin_block_iso4_decipher": iso4_decipher,
    "pin_translate": pin_translate,
    "ibm3624_offset": ibm3624_offset,
    "ibm3624_verify": ibm3624_verify,
    "visa_pvv": visa_pvv,
    "cvv": lambda given: {"value": cvv.generate_cvv(given("cvk"), given.pan, given.expiry, given.service_code)},
    "dcvv": dcvv,
    "cvc3": cvc3,
    "mac_iso9797_alg1": algorithm_1,
    "mac_iso9797_alg3": algorithm_3,
    "key_export_zmk_ecb": export,
    "key_parity_adjust": lambda given: {"key": shown(des.adjust_key_parity(given("key")))},
    "key_variant_atalla": lambda given: {"key": shown(des.apply_key_variant(given("key"), given.variant))},
    "kcv_tdes": lambda given: {"kcv": shown(des.generate_kcv(given("key"), 3))},
    "tr31_unwrap": unwrap,
    "tr31_wrap": wrap,
    "dukpt_tdes_keys": dukpt_keys,
    "dukpt_tdes_pin_encrypt": dukpt_pin_encrypt,
    "dukpt_tdes_mac": dukpt_mac,
    "dukpt_tdes_data_encrypt": dukpt_data,
    "emv_icc_mk_option_a": lambda given: {"key": shown(kd.derive_icc_mk_a(given("imk"), given.pan, given.psn))},
    "emv_icc_mk_option_b": lambda given: {"key": shown(kd.derive_icc_mk_b(given("imk"), given.pan, given.psn))},
    "emv_common_session_key": lambda given: {"key": shown(kd.derive_common_sk(given("icc_mk"), given("r")))},
    "emv_visa_sm_session_key": lambda given: {"key": shown(kd.derive_visa_sm_sk(given("icc_mk"), given("atc")))},
    "emv_tree_session_key": tree,
    "emv_arqc": arqc,
    "emv_arpc": arpc,
    "emv_script_mac": script_mac,
    "emv_pin_change_command": pin_change,
}


def main():
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"values": OPERATIONS[question["op"]](Inputs(question["inputs"]))}
        except Exception as error:  # Whatever a library raises is its refusal.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
