package ide

import "encoding/binary"

// identity is IDENTIFY data being built: 256 words.
type identity [sectorSize]byte

func (b *identity) word(n int, v uint16) { binary.LittleEndian.PutUint16(b[2*n:], v) }
func (b *identity) dword(n int, v uint32) {
	b.word(n, uint16(v))
	b.word(n+1, uint16(v>>16))
}

// text fills words with a string, padded with blanks, the first character in
// the upper byte (§8.12.8).
func (b *identity) text(n, words int, s string) {
	for i := range 2 * words {
		c := byte(' ')
		if i < len(s) && s[i] >= ' ' && s[i] < 0x7f {
			c = s[i]
		}
		b[2*n+i^1] = c
	}
}

// seal adds the integrity word.
func (b *identity) seal() {
	b[510] = 0xa5
	checksum(b[:])
}

// modes fills what the drive can do by DMA and what is selected.
func (b *identity) modes(d *drive) {
	sel := func(base uint8) uint16 {
		if d.mode&0xf8 == base {
			return 1 << (8 + d.mode&7)
		}
		return 0
	}
	b.word(53, 0x0006) // words 64-70 and 88 are valid
	b.word(62, 0x0007|sel(0x10))
	b.word(63, 0x0007|sel(0x20))
	b.word(64, 0x0003) // PIO 3 and 4
	b.word(65, 120)    // ns of a DMA cycle: least, recommended
	b.word(66, 120)
	b.word(67, 120) // PIO cycle without and with IORDY
	b.word(68, 120)
	udma := uint16(0x003f)
	if d.ch.c.DMA == nil {
		b.word(62, 0)
		b.word(63, 0)
		udma = 0
	}
	b.word(88, udma|sel(0x40))
	b.word(93, 0x6001|uint16(d.unit)<<3) // 80 wires
}

const smartLogs = 1<<0 | 1<<1 // error log and self-tests (words 84 and 87)

// cmdIdentify answers IDENTIFY DEVICE (§8.12).
func (d *drive) cmdIdentify() {
	var b identity
	total := d.maxLBA + 1
	b.word(0, 0x0040) // fixed drive
	b.word(1, uint16(d.c.Cylinders))
	b.word(3, uint16(d.c.Heads))
	b.word(4, uint16(sectorSize*d.c.Sectors)) // unformatted bytes, retired
	b.word(5, sectorSize)
	b.word(6, uint16(d.c.Sectors))
	b.text(10, 10, d.c.Serial)
	b.word(20, 3) // buffer type and size, retired
	b.word(21, 512)
	b.word(22, 4)
	b.text(23, 4, d.c.Firmware)
	b.text(27, 20, d.c.Model)
	b.word(47, 0x8000|maxMultiple)
	b.word(48, 1)      // 32-bit PIO, retired
	b.word(49, 0x0f00) // IORDY, LBA, DMA
	if d.ch.c.DMA == nil {
		b.word(49, 0x0e00)
	}
	b.word(50, 0x4000)
	b.word(51, 0x0200)
	b.word(52, 0x0200)
	b.modes(d)
	// Words 54-58: the current translation.
	cyl := 0
	if n := d.heads * d.sectors; n > 0 {
		cyl = int(min(total/uint64(n), 65535))
		if d.heads == d.c.Heads && d.sectors == d.c.Sectors {
			cyl = d.c.Cylinders
		}
	}
	b.word(53, 0x0007)
	b.word(54, uint16(cyl))
	b.word(55, uint16(d.heads))
	b.word(56, uint16(d.sectors))
	b.dword(57, uint32(cyl*d.heads*d.sectors))
	if d.multiple > 0 {
		b.word(59, 0x100|uint16(d.multiple))
	}
	b.dword(60, uint32(min(total, 1<<28-1)))
	b.word(80, 0x00f0) // ATA-4 to ATA/ATAPI-7
	b.word(81, 0x0016)
	b.word(82, 0x0000|1<<14|1<<5|1<<0|1<<6|1<<3|1<<10) // NOP, write cache, SMART, look-ahead, power, HPA
	b.word(83, 1<<14|1<<13|1<<12|1<<10)                // FLUSH (EXT), LBA48
	b.word(84, 1<<14|smartLogs)
	enabled := uint16(1<<14 | 1<<3 | 1<<10)
	for _, f := range []struct {
		on  bool
		bit uint16
	}{{!d.noWriteCache, 1 << 5}, {!d.noReadAhead, 1 << 6}, {d.smart.enabled, 1}} {
		if f.on {
			enabled |= f.bit
		}
	}
	b.word(85, enabled)
	b.word(86, 1<<13|1<<12|1<<10)
	b.word(87, 1<<14|smartLogs)
	if d.c.WWN != 0 {
		b.word(84, 1<<14|smartLogs|1<<8)
		b.word(87, 1<<14|smartLogs|1<<8)
		for i := range 4 {
			b.word(108+i, uint16(d.c.WWN>>(48-16*i)))
		}
	}
	b.dword(100, uint32(total))
	b.dword(102, uint32(total>>32))
	if d.ch.c.DMA != nil {
		b.word(105, maxTrim)
		b.word(169, 1) // TRIM
	}
	b.seal()
	d.reply(b[:])
}

// cmdIdentifyPacket answers IDENTIFY PACKET DEVICE (§8.13).
func (d *drive) cmdIdentifyPacket() {
	var b identity
	b.word(0, 0x85c0) // ATAPI, CD-ROM, removable, DRQ within 50 us, 12-byte packets
	b.text(10, 10, d.c.Serial)
	b.word(20, 3)
	b.word(21, 512)
	b.word(22, 4)
	b.text(23, 4, d.c.Firmware)
	b.text(27, 20, d.c.Model)
	b.word(48, 1)
	b.word(49, 0x0b00) // IORDY may be disabled, LBA, DMA
	if d.ch.c.DMA == nil {
		b.word(49, 0x0a00)
	}
	b.modes(d)
	b.word(71, 30) // ns until the bus is free, typically
	b.word(72, 30)
	b.word(80, 0x001e) // ATA-1 to ATA/ATAPI-4
	b.word(82, 1<<4|1<<9|1<<14)
	b.word(83, 1<<14)
	b.word(84, 1<<14)
	b.word(85, 1<<4|1<<9|1<<14)
	b.word(87, 1<<14)
	b.seal()
	d.reply(b[:])
}
