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

ZERO_MAC = "0" * 16
APPROVED = {"00", "08", "10", "11", "16", "85", "87"}
MAX_FRAME = 4096

NUMERIC = {
    "2": None, "3": 6, "4": 12, "7": 10, "11": 6, "12": 6, "13": 4, "14": 4, "15": 4, "18": 4, "22": 3,
    "23": 3, "25": 2, "32": None, "33": None, "49": 3, "53": 16, "70": 3, "90": 42,
}


def ascii_spec():
    """`iso87-ascii`: bitmaps as hexadecimal text, pyiso8583's own default but for these elements."""
    spec = copy.deepcopy(default_ascii)
    spec["55"].update(data_enc="b", max_len=255)
    spec["60"].update(len_type=3, max_len=60)
    spec["61"].update(len_type=3, max_len=26)
    spec["63"].update(len_type=3, max_len=32)
    return spec


def binary_spec():
    """`iso87-binary`: the same elements with packed digits, BCD lengths and binary elements as they are."""
    spec = ascii_spec()
    spec["t"].update(data_enc="b", max_len=2)
    for bitmap in ("p", "1"):
        spec[bitmap].update(data_enc="b", max_len=8)
    for element in map(str, range(2, 129)):
        # LL in one byte, LLL in two.
        if spec[element]["len_type"]:
            spec[element].update(len_enc="bcd", len_type=(spec[element]["len_type"] + 1) // 2)
    for element, length in NUMERIC.items():
        # The currency stays text; of an odd number of digits the first half byte is 0.
        if length is not None and element != "49":
            spec[element].update(data_enc="b", len_count="nibbles", left_pad="0", max_len=length)
    # Card and institution numbers and track 2 are filled on the right.
    for element, longest in (("2", 19), ("32", 11), ("33", 11), ("35", 37)):
        spec[element].update(data_enc="b", len_count="nibbles", right_pad="0", max_len=longest)
    spec["55"].update(max_len=999)
    for element in ("52", "64", "96", "128"):
        spec[element].update(data_enc="b", max_len=8)
    return spec


class Form:
    """How a dialect lays its messages out: pyiso8583's table, and how the MAC stands at the end."""

    def __init__(self, name, spec, mac_length):
        self.name = name
        self.spec = spec
        self.mac_length = mac_length

    def mac(self, value):
        """8 bytes of MAC as they stand on the wire."""
        return value if self.mac_length == 8 else value.hex().upper().encode()

    def packed(self, fields):
        """Elements as pyiso8583 wants them: half bytes of packed ones are digits and letters."""
        if self.name == "binary" and "35" in fields:
            return {**fields, "35": fields["35"].replace("=", "D")}
        return fields

    def unpacked(self, fields):
        """And back."""
        if self.name == "binary" and "35" in fields:
            return {**fields, "35": fields["35"].replace("D", "=")}
        return fields


ASCII = Form("ascii", ascii_spec(), 16)
BINARY = Form("binary", binary_spec(), 8)
FORMS = {form.name: form for form in (ASCII, BINARY)}


class Damaged(Exception):
    """A message that is not what docs/wire.md says. `fields` is what could be read of it."""

    def __init__(self, reason, mti=None, fields=None):
        super().__init__(reason)
        self.mti = mti
        self.fields = fields or {}


class Message:
    """A decoded message: its type, its elements by number, the very bytes that came, and in which form."""

    def __init__(self, mti, fields, raw, form):
        self.mti = mti
        self.fields = fields
        self.raw = raw
        self.form = form

    def get(self, element, default=None):
        return self.fields.get(element, default)

    def __getitem__(self, element):
        return self.fields[element]

    def __repr__(self):
        return f"{self.mti} stan={self.get('11')} rrn={self.get('37')} code={self.get('39')}"


def decode(raw, form=ASCII):
    """Decodes and checks what pyiso8583 leaves unchecked: digits where the wire wants digits."""
    try:
        document, _ = iso8583.decode(raw, form.spec)
    except iso8583.DecodeError as error:
        known = error.doc_dec
        raise Damaged(str(error), known.get("t"), {k: v for k, v in known.items() if k.isdigit()}) from error
    fields = form.unpacked({key: value for key, value in document.items() if key.isdigit() and key != "1"})
    mti = document["t"]
    for element, length in NUMERIC.items():
        value = fields.get(element)
        if value is not None and not (value.isascii() and value.isdigit() and length in (None, len(value))):
            del fields[element]
            raise Damaged(f"DE{element} is not numeric", mti, fields)
    return Message(mti, fields, bytes(raw), form)


def encode(mti, fields, key=None, form=ASCII):
    """Encodes, with the MAC under `key` as the last element if there is one."""
    document = {"t": mti, **{k: v for k, v in form.packed(fields).items() if k not in ("64", "128")}}
    if key is not None:
        secondary = any(int(element) > 64 for element in fields if element not in ("64", "128"))
        document["128" if secondary else "64"] = ZERO_MAC
    raw, _ = iso8583.encode(document, form.spec)
    if key is not None:
        raw[-form.mac_length:] = form.mac(retail_mac(key, raw[:-form.mac_length]))
    return bytes(raw)


def retail_mac(key, data):
    """ISO/IEC 9797-1 MAC algorithm 3, padding method 1, double-length key."""
    return mac.generate_retail_mac(key[:8], key[8:16], bytes(data), padding=1)


def mac_is_right(message, key):
    """Whether the message ends with the right MAC; a message without one has none that is right."""
    carried = message.get("128") or message.get("64")
    if carried is None:
        return False
    return carried.upper() == retail_mac(key, message.raw[:-message.form.mac_length]).hex().upper()


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
    """One connection with the 2-byte length header, and a TPDU behind it where one is given."""

    def __init__(self, connection, timeout=30.0, tpdu=b""):
        connection.settimeout(timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.tpdu = tpdu

    @classmethod
    def dial(cls, address, timeout=30.0, tpdu=b""):
        host, port = address.rsplit(":", 1)
        return cls(socket.create_connection((host, int(port)), timeout=timeout), timeout, tpdu)

    def send(self, raw):
        frame = self.tpdu + raw
        self.connection.sendall(struct.pack(">H", len(frame)) + frame)

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
                frame = self._exactly(length)
                return frame if frame is None else self._addressed(frame)

    def _addressed(self, frame):
        """The message of a frame; its TPDU has to be ours with destination and source turned round."""
        wanted = self.tpdu[:1] + self.tpdu[3:5] + self.tpdu[1:3]
        if not frame.startswith(wanted):
            raise Damaged(f"TPDU {frame[:5].hex()} instead of {wanted.hex()}")
        return frame[len(wanted):]

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
