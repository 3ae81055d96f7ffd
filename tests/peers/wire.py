"""The wire of docs/wire.md, as an outsider would write it: pyiso8583 for the fields, psec for MAC and PIN.

Nothing here comes from Switchyard's own code or field tables. That is the point: what both sides
misunderstand in the same way would otherwise never be found.
"""

import copy
import socket
import struct
import warnings

import iso8583
from iso8583.specs import default_ascii
from psec import des, mac, pinblock

# cryptography warns of every double-length key that psec gives it; terminals still have them.
warnings.filterwarnings("ignore", module="psec")

# Everything in ASCII, bitmaps as hexadecimal text: pyiso8583's own default, but for these elements.
SPEC = copy.deepcopy(default_ascii)
SPEC["55"].update(data_enc="b", max_len=255)
SPEC["60"].update(len_type=3, max_len=60)
SPEC["61"].update(len_type=3, max_len=26)
SPEC["63"].update(len_type=3, max_len=32)

MAC_HEX = 16
ZERO_MAC = "0" * MAC_HEX
APPROVED = {"00", "08", "10", "11", "16", "85", "87"}
MAX_FRAME = 4096

NUMERIC = {
    "2": None, "3": 6, "4": 12, "7": 10, "11": 6, "12": 6, "13": 4, "14": 4, "15": 4, "18": 4, "22": 3,
    "23": 3, "25": 2, "32": None, "33": None, "49": 3, "53": 16, "70": 3, "90": 42,
}


class Damaged(Exception):
    """A message that is not what docs/wire.md says. `fields` is what could be read of it."""

    def __init__(self, reason, mti=None, fields=None):
        super().__init__(reason)
        self.mti = mti
        self.fields = fields or {}


class Message:
    """A decoded message: its type, its elements by number, and the very bytes that came."""

    def __init__(self, mti, fields, raw=b""):
        self.mti = mti
        self.fields = fields
        self.raw = raw

    def get(self, element, default=None):
        return self.fields.get(element, default)

    def __getitem__(self, element):
        return self.fields[element]

    def __repr__(self):
        return f"{self.mti} stan={self.get('11')} rrn={self.get('37')} code={self.get('39')}"


def decode(raw):
    """Decodes and checks what pyiso8583 leaves unchecked: digits where the wire wants digits."""
    try:
        document, _ = iso8583.decode(raw, SPEC)
    except iso8583.DecodeError as error:
        known = error.doc_dec
        raise Damaged(str(error), known.get("t"), {k: v for k, v in known.items() if k.isdigit()}) from error
    fields = {key: value for key, value in document.items() if key.isdigit() and key != "1"}
    mti = document["t"]
    for element, length in NUMERIC.items():
        value = fields.get(element)
        if value is not None and not (value.isascii() and value.isdigit() and length in (None, len(value))):
            del fields[element]
            raise Damaged(f"DE{element} is not numeric", mti, fields)
    return Message(mti, fields, bytes(raw))


def encode(mti, fields, key=None):
    """Encodes, with the MAC under `key` as the last element if there is one."""
    document = {"t": mti, **{k: v for k, v in fields.items() if k not in ("64", "128")}}
    if key is not None:
        secondary = any(int(element) > 64 for element in fields if element not in ("64", "128"))
        document["128" if secondary else "64"] = ZERO_MAC
    raw, _ = iso8583.encode(document, SPEC)
    if key is not None:
        raw[-MAC_HEX:] = retail_mac(key, raw[:-MAC_HEX]).hex().upper().encode()
    return bytes(raw)


def retail_mac(key, data):
    """ISO/IEC 9797-1 MAC algorithm 3, padding method 1, double-length key."""
    return mac.generate_retail_mac(key[:8], key[8:16], bytes(data), padding=1)


def mac_is_right(message, key):
    """Whether the message ends with the right MAC; a message without one has none that is right."""
    carried = message.get("128") or message.get("64")
    if carried is None:
        return False
    return carried.upper() == retail_mac(key, message.raw[:-MAC_HEX]).hex().upper()


def encrypt_pin(key, pin, pan):
    """ISO 9564 format 0 under a double-length TDES key, as DE52 carries it."""
    return des.encrypt_tdes_ecb(key, pinblock.encode_pinblock_iso_0(pin, pan)).hex().upper()


def decrypt_pin(key, block, pan):
    """The clear PIN of DE52; raises ValueError where the block is not one."""
    return pinblock.decode_pinblock_iso_0(des.decrypt_tdes_ecb(key, bytes.fromhex(block)), pan)


def tlv_tags(data):
    """Tags of BER-TLV in DE55 (hexadecimal text), top level."""
    raw, at, tags = bytes.fromhex(data), 0, []
    while at < len(raw):
        start = at
        at += 1
        if raw[start] & 0x1F == 0x1F:
            while raw[at] & 0x80:
                at += 1
            at += 1
        tags.append(raw[start:at].hex().upper())
        length = raw[at]
        at += 1
        if length & 0x80:
            width = length & 0x7F
            length = int.from_bytes(raw[at : at + width], "big")
            at += width
        at += length
    return tags


class Link:
    """One connection with the 2-byte length header."""

    def __init__(self, connection, timeout=30.0):
        connection.settimeout(timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection

    @classmethod
    def dial(cls, address, timeout=30.0):
        host, port = address.rsplit(":", 1)
        return cls(socket.create_connection((host, int(port)), timeout=timeout), timeout)

    def send(self, raw):
        self.connection.sendall(struct.pack(">H", len(raw)) + raw)

    def receive(self):
        """The next frame, without keep-alives; None when the peer has closed."""
        while True:
            header = self._exactly(2)
            if header is None:
                return None
            (length,) = struct.unpack(">H", header)
            if length > MAX_FRAME:
                raise Damaged(f"a frame of {length} bytes")
            if length:
                return self._exactly(length)

    def _exactly(self, wanted):
        parts = b""
        while len(parts) < wanted:
            try:
                part = self.connection.recv(wanted - len(parts))
            except ConnectionResetError:
                return None
            if not part:
                return None
            parts += part
        return parts

    def close(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()


def answer_mti(mti):
    """0200 and 0201 are answered 0210, 0420 and 0421 0430."""
    return mti[:2] + str(int(mti[2]) + 1) + "0"
