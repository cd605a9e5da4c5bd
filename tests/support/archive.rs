//! Bytes of tar archives and of gzip and zstd streams, written by hand so that a test decides every
//! byte: nothing is compressed, and one content can be packed into different streams.

/// An entry of an archive.
pub enum Entry<'a> {
    Folder(&'a str),
    /// Name, mode, content.
    File(&'a str, u32, &'a [u8]),
    /// Name and where it points.
    Link(&'a str, &'a str),
}

/// A tar archive (ustar).
pub fn tar(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        let (name, mode, content, kind, target) = match *entry {
            Entry::Folder(name) => (name, 0o755, &b""[..], b'5', ""),
            Entry::File(name, mode, content) => (name, mode, content, b'0', ""),
            Entry::Link(name, target) => (name, 0o777, &b""[..], b'2', target),
        };
        let mut head = [0u8; 512];
        let mut put =
            |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, &format!("{mode:07o}"));
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{:011o}", content.len()));
        put(136, "00000000000");
        put(148, "        ");
        put(157, target);
        put(257, "ustar");
        put(263, "00");
        head[156] = kind;
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// A gzip stream of stored blocks; another `time` gives other bytes for the same content.
pub fn gzip(content: &[u8], time: u32) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0];
    out.extend_from_slice(&time.to_le_bytes());
    out.extend_from_slice(&[0, 255]);
    let mut blocks = content.chunks(0xffff).peekable();
    while let Some(block) = blocks.next() {
        let size = u16::try_from(block.len()).expect("a block is at most 65535 bytes");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&(!size).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&crc32(content).to_le_bytes());
    let size = u32::try_from(content.len()).expect("test layers are small");
    out.extend_from_slice(&size.to_le_bytes());
    out
}

/// A zstd frame of raw blocks.
pub fn zstd(content: &[u8]) -> Vec<u8> {
    let mut out = 0xfd2f_b528u32.to_le_bytes().to_vec();
    // One segment, its size in four bytes, no checksum.
    out.push(0b1010_0000);
    out.extend_from_slice(
        &u32::try_from(content.len())
            .expect("test layers are small")
            .to_le_bytes(),
    );
    let mut blocks = content.chunks(128 * 1024).peekable();
    while let Some(block) = blocks.next() {
        let size = u32::try_from(block.len()).expect("a block is at most 128 KiB");
        let head = size << 3 | u32::from(blocks.peek().is_none());
        out.extend_from_slice(&head.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0u32; 256];
    for (i, slot) in (0u32..).zip(table.iter_mut()) {
        *slot = (0..8).fold(i, |c, _| {
            if c & 1 == 1 {
                0xedb8_8320 ^ (c >> 1)
            } else {
                c >> 1
            }
        });
    }
    !bytes.iter().fold(!0u32, |crc, byte| {
        table[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    })
}
