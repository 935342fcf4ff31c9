//! Slots: which shard of a Redis Cluster a key belongs to. Plain arithmetic, so the simulator, the servers and the page
//! use one formula: a key's slot is CRC16 of its hash tag modulo 16384.

/// Slots of a cluster.
pub const SLOTS: u16 = 16_384;

/// The slot of a key: CRC16 (XMODEM) of the part between the first `{` and the next `}`, if there is one and it is
/// not empty, else of the whole key. (Redis Cluster specification, "Hash tags".)
pub fn slot(key: &str) -> u16 {
    let key = key.as_bytes();
    crc16(tag(key).unwrap_or(key)) % SLOTS
}

/// Bytes, not characters: braces are ASCII, and this runs for every command.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let opens = key.iter().position(|byte| *byte == b'{')?;
    let rest = &key[opens + 1..];
    let tag = &rest[..rest.iter().position(|byte| *byte == b'}')?];
    (!tag.is_empty()).then_some(tag)
}

/// The shard, counted from 0, that owns a slot when so many masters share all slots in equal ranges.
pub fn shard_of_slot(slot: u16, masters: u8) -> u8 {
    (0..masters).find(|shard| slot <= range(*shard, masters).1).unwrap_or(masters - 1)
}

/// The first and the last slot of a shard, rounded as `redis-cli --cluster create` does: 0–5460, 5461–10922 and
/// 10923–16383 for three masters.
pub fn range(shard: u8, masters: u8) -> (u16, u16) {
    let last = |shard: u8| {
        let (ordinal, masters) = (u32::from(shard) + 1, u32::from(masters));
        let last = (2 * ordinal * u32::from(SLOTS) - masters) / (2 * masters);
        u16::try_from(last).expect("a slot is below 16384")
    };
    (if shard == 0 { 0 } else { last(shard - 1) + 1 }, last(shard))
}

/// CRC16 (XMODEM) of every byte value, so that a key costs one look-up a byte.
const CRC16: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| (crc << 8) ^ CRC16[usize::from((crc >> 8) as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's own example, and the slots that a real Redis 7 prints for `CLUSTER KEYSLOT`.
    #[test]
    fn slots_are_those_of_redis() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot("item:42"), 7184);
        assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
        assert_eq!(slot("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot("foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
    }

    #[test]
    fn three_masters_share_the_slots_as_redis_cli_does() {
        assert_eq!([range(0, 3), range(1, 3), range(2, 3)], [(0, 5460), (5461, 10922), (10923, 16383)]);
        assert_eq!([5460, 5461, 10922, 10923].map(|slot| shard_of_slot(slot, 3)), [0, 1, 1, 2]);
    }

    #[test]
    fn every_slot_has_one_owner() {
        for masters in 1..=12 {
            for shard in 0..masters {
                let (first, last) = range(shard, masters);
                assert_eq!(shard_of_slot(first, masters), shard);
                assert_eq!(shard_of_slot(last, masters), shard);
            }
        }
    }
}
