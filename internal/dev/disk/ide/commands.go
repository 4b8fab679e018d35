package ide

import "rhea/internal/block"

const (
	maxMultiple    = 16
	cmdDeviceReset = 0x08
	cmdSMARTCode   = 0xb0
)

// Who knows a command; quiet ones do not wake a drive that stands by.
const (
	forATA   = 1
	forATAPI = 2
	both     = forATA | forATAPI
	quiet    = 4
)

type command struct {
	name string
	who  uint8
	run  func(*drive)
}

// commands is ATA-5 §8, with the retired commands that old drivers use and
// the 48-bit ones of ATA-6.
var commands = [256]command{
	0x00: {"NOP", both, (*drive).abort},
	0x06: {"DATA SET MANAGEMENT", forATA, (*drive).cmdDataSet},
	0x08: {"DEVICE RESET", forATAPI, (*drive).cmdDeviceReset},
	0x10: {"RECALIBRATE", forATA, (*drive).cmdRecalibrate},
	0x20: {"READ SECTORS", forATA, (*drive).cmdRead},
	0x21: {"READ SECTORS (no retry)", forATA, (*drive).cmdRead},
	0x24: {"READ SECTORS EXT", forATA, (*drive).cmdRead},
	0x25: {"READ DMA EXT", forATA, (*drive).cmdReadDMA},
	0x27: {"READ NATIVE MAX ADDRESS EXT", forATA, (*drive).cmdNativeMax},
	0x29: {"READ MULTIPLE EXT", forATA, (*drive).cmdReadMultiple},
	0x30: {"WRITE SECTORS", forATA, (*drive).cmdWrite},
	0x31: {"WRITE SECTORS (no retry)", forATA, (*drive).cmdWrite},
	0x34: {"WRITE SECTORS EXT", forATA, (*drive).cmdWrite},
	0x35: {"WRITE DMA EXT", forATA, (*drive).cmdWriteDMA},
	0x37: {"SET MAX ADDRESS EXT", forATA, (*drive).cmdSetMax},
	0x39: {"WRITE MULTIPLE EXT", forATA, (*drive).cmdWriteMultiple},
	0x3c: {"WRITE VERIFY", forATA, (*drive).cmdWrite},
	0x40: {"READ VERIFY", forATA, (*drive).cmdVerify},
	0x41: {"READ VERIFY (no retry)", forATA, (*drive).cmdVerify},
	0x42: {"READ VERIFY EXT", forATA, (*drive).cmdVerify},
	0x70: {"SEEK", forATA, (*drive).cmdSeek},
	0x91: {"INITIALIZE DEVICE PARAMETERS", forATA, (*drive).cmdInitParams},
	0x94: {"STANDBY IMMEDIATE (old)", both | quiet, (*drive).cmdStandby},
	0x95: {"IDLE IMMEDIATE (old)", both, (*drive).cmdIdle},
	0x96: {"STANDBY (old)", both | quiet, (*drive).cmdStandby},
	0x97: {"IDLE (old)", both, (*drive).finish},
	0x98: {"CHECK POWER MODE (old)", both | quiet, (*drive).cmdCheckPower},
	0x99: {"SLEEP (old)", both | quiet, (*drive).cmdStandby},
	0xa0: {"PACKET", forATAPI, (*drive).cmdPacket},
	0xa1: {"IDENTIFY PACKET DEVICE", forATAPI, (*drive).cmdIdentifyPacket},
	0xb0: {"SMART", forATA, (*drive).cmdSMART},
	0xc4: {"READ MULTIPLE", forATA, (*drive).cmdReadMultiple},
	0xc5: {"WRITE MULTIPLE", forATA, (*drive).cmdWriteMultiple},
	0xc6: {"SET MULTIPLE MODE", forATA, (*drive).cmdSetMultiple},
	0xc8: {"READ DMA", forATA, (*drive).cmdReadDMA},
	0xc9: {"READ DMA (no retry)", forATA, (*drive).cmdReadDMA},
	0xca: {"WRITE DMA", forATA, (*drive).cmdWriteDMA},
	0xcb: {"WRITE DMA (no retry)", forATA, (*drive).cmdWriteDMA},
	0xda: {"GET MEDIA STATUS", forATAPI, (*drive).abort},
	0xe0: {"STANDBY IMMEDIATE", both | quiet, (*drive).cmdStandby},
	0xe1: {"IDLE IMMEDIATE", both, (*drive).cmdIdle},
	0xe2: {"STANDBY", both | quiet, (*drive).cmdStandby},
	0xe3: {"IDLE", both, (*drive).finish},
	0xe4: {"READ BUFFER", forATA, (*drive).cmdReadBuffer},
	0xe5: {"CHECK POWER MODE", both | quiet, (*drive).cmdCheckPower},
	0xe6: {"SLEEP", both | quiet, (*drive).cmdStandby},
	0xe7: {"FLUSH CACHE", both, (*drive).cmdFlush},
	0xe8: {"WRITE BUFFER", forATA, (*drive).cmdWriteBuffer},
	0xea: {"FLUSH CACHE EXT", forATA, (*drive).cmdFlush},
	0xec: {"IDENTIFY DEVICE", forATA, (*drive).cmdIdentify},
	0xef: {"SET FEATURES", both, (*drive).cmdSetFeatures},
	0xf1: {"SECURITY SET PASSWORD", forATA, (*drive).abort},
	0xf2: {"SECURITY UNLOCK", forATA, (*drive).abort},
	0xf3: {"SECURITY ERASE PREPARE", forATA, (*drive).abort},
	0xf4: {"SECURITY ERASE UNIT", forATA, (*drive).abort},
	0xf5: {"SECURITY FREEZE LOCK", forATA, (*drive).abort},
	0xf6: {"SECURITY DISABLE PASSWORD", forATA, (*drive).abort},
	0xf8: {"READ NATIVE MAX ADDRESS", forATA, (*drive).cmdNativeMax},
	0xf9: {"SET MAX ADDRESS", forATA, (*drive).cmdSetMax},
}

// lookup finds a command: 10h-1Fh and 70h-7Fh are sixteen codes of one.
func lookup(cmd uint8) *command {
	if hi := cmd & 0xf0; hi == 0x10 || hi == 0x70 {
		cmd = hi
	}
	return &commands[cmd]
}

// ext reports whether the command under way is a 48-bit one.
func (d *drive) ext() bool {
	switch d.cmd {
	case 0x06, 0x24, 0x25, 0x27, 0x29, 0x34, 0x35, 0x37, 0x39, 0x42:
		return true
	}
	return false
}

// address returns the sector that the task file names.
func (d *drive) address() (uint64, bool) {
	lo := uint64(d.lbaLow[0]) | uint64(d.lbaMid[0])<<8 | uint64(d.lbaHigh[0])<<16
	switch {
	case d.ext():
		return lo | uint64(d.lbaLow[1])<<24 | uint64(d.lbaMid[1])<<32 | uint64(d.lbaHigh[1])<<40, d.device&dvLBA != 0
	case d.device&dvLBA != 0:
		return lo | uint64(d.device&15)<<24, true
	}
	head, sector, cylinder := int(d.device&15), int(d.lbaLow[0]), uint64(lo>>8)
	if sector == 0 || sector > d.sectors || head >= d.heads {
		return 0, false
	}
	return (cylinder*uint64(d.heads)+uint64(head))*uint64(d.sectors) + uint64(sector) - 1, true
}

// setAddress puts a sector's address into the task file.
func (d *drive) setAddress(lba uint64) {
	switch {
	case d.ext():
		d.lbaLow = [2]uint8{uint8(lba), uint8(lba >> 24)}
		d.lbaMid = [2]uint8{uint8(lba >> 8), uint8(lba >> 32)}
		d.lbaHigh = [2]uint8{uint8(lba >> 16), uint8(lba >> 40)}
	case d.device&dvLBA != 0:
		d.lbaLow[0], d.lbaMid[0], d.lbaHigh[0] = uint8(lba), uint8(lba>>8), uint8(lba>>16)
		d.device = d.device&0xf0 | uint8(lba>>24)&15
	case d.heads > 0 && d.sectors > 0:
		track := lba / uint64(d.sectors)
		cyl := track / uint64(d.heads)
		d.lbaLow[0] = uint8(lba%uint64(d.sectors)) + 1
		d.lbaMid[0], d.lbaHigh[0] = uint8(cyl), uint8(cyl>>8)
		d.device = d.device&0xf0 | uint8(track%uint64(d.heads))&15
	}
}

// begin takes address and count from the task file. It ends the command if
// they are not on the disk.
func (d *drive) begin() bool {
	n := int(d.count[0])
	switch {
	case d.ext():
		n |= int(d.count[1]) << 8
		if n == 0 {
			n = 65536
		}
	case n == 0:
		n = 256
	}
	lba, ok := d.address()
	if !ok || lba > d.maxLBA || uint64(n) > d.maxLBA+1-lba {
		d.fail(erIDNF)
		return false
	}
	if d.q == nil {
		d.abort()
		return false
	}
	d.next, d.left, d.single = lba, n, false
	return true
}

func (d *drive) cmdRead() { d.read(1) }
func (d *drive) cmdReadMultiple() {
	if d.multiple == 0 {
		d.abort()
		return
	}
	d.read(d.multiple)
}

func (d *drive) read(block int) {
	if d.begin() {
		d.op, d.blockSize = opRead, block*sectorSize
		d.fetch()
	}
}

func (d *drive) cmdWrite() { d.write(1) }
func (d *drive) cmdWriteMultiple() {
	if d.multiple == 0 {
		d.abort()
		return
	}
	d.write(d.multiple)
}

func (d *drive) write(block int) {
	if d.begin() {
		d.op, d.blockSize = opWrite, block*sectorSize
		d.accept(true)
	}
}

func (d *drive) cmdReadDMA() {
	if d.ch.c.DMA == nil {
		d.abort()
	} else if d.begin() {
		d.op = opReadDMA
		d.fetch()
	}
}

func (d *drive) cmdWriteDMA() {
	if d.ch.c.DMA == nil {
		d.abort()
	} else if d.begin() {
		d.op, d.blockSize = opWriteDMA, chunk
		d.accept(true)
		d.dmaRun()
	}
}

// cmdVerify reads and gives nothing to the host.
func (d *drive) cmdVerify() {
	if d.begin() {
		d.op = opVerify
		d.fetch()
	}
}

func (d *drive) cmdSeek() {
	if lba, ok := d.address(); !ok || lba > d.maxLBA {
		d.fail(erIDNF)
		return
	}
	d.finish()
}

func (d *drive) cmdRecalibrate() {
	d.lbaMid[0], d.lbaHigh[0] = 0, 0
	d.finish()
}

// cmdInitParams sets the CHS translation (§8.16): heads and sectors.
func (d *drive) cmdInitParams() {
	heads, sectors := int(d.device&15)+1, int(d.count[0])
	if sectors == 0 {
		d.abort()
		return
	}
	d.heads, d.sectors = heads, sectors
	d.finish()
}

func (d *drive) cmdSetMultiple() {
	n := int(d.count[0])
	if n > maxMultiple || n&(n-1) != 0 {
		d.abort()
		return
	}
	d.multiple = n
	d.finish()
}

func (d *drive) cmdFlush() {
	if d.q == nil || d.c.CDROM {
		d.finish()
		return
	}
	d.submit(block.Flush, 0, nil, func(err error) {
		if err != nil {
			d.mediumError(err)
			return
		}
		d.finish()
	})
}

func (d *drive) cmdNativeMax() {
	last := max(d.total(), 1) - 1
	if !d.ext() {
		last = min(last, 1<<28-1)
	}
	d.device |= dvLBA // §8.28: the drive answers in LBA if asked so; disks here always
	d.setAddress(last)
	d.finish()
}

func (d *drive) cmdSetMax() {
	if d.cmd == 0xf9 && d.feature[0] != 0 { // SET MAX PASSWORD and so on
		d.abort()
		return
	}
	lba, ok := d.address()
	if !ok || lba >= max(d.total(), 1) {
		d.fail(erIDNF)
		return
	}
	d.maxLBA = lba
	d.finish()
}

func (d *drive) cmdStandby() {
	d.endTest(testAborted)
	d.finish()
	d.standby = true
}

func (d *drive) cmdIdle() {
	d.endTest(testAborted)
	d.finish()
}

func (d *drive) cmdCheckPower() {
	standby := d.standby
	d.finish()
	d.count[0] = 0xff
	if standby {
		d.count[0] = 0
	}
}

func (d *drive) cmdReadBuffer() { d.reply(d.own[:]) }

func (d *drive) cmdWriteBuffer() {
	d.op = opBuffer
	d.left, d.blockSize = 1, sectorSize
	d.accept(true)
	d.left = 0
}

// Subcommands of SET FEATURES (§8.37).
func (d *drive) cmdSetFeatures() {
	switch d.feature[0] {
	case 0x02:
		d.noWriteCache = false
	case 0x82:
		d.noWriteCache = true
		d.cmdFlush()
		return
	case 0xaa:
		d.noReadAhead = false
	case 0x55:
		d.noReadAhead = true
	case 0x03: // transfer mode
		if !d.setMode(d.count[0]) {
			d.abort()
			return
		}
	case 0x05, 0x85, 0x42, 0xc2, 0x66, 0xcc, 0x67, 0x69, 0x31, 0x33, 0x95, 0x5d, 0xdd:
		// power and noise levels, power-on defaults, media status: nothing to set
	default:
		d.abort()
		return
	}
	d.finish()
}

// setMode checks a transfer mode (§8.37.10) and remembers it for IDENTIFY.
func (d *drive) setMode(m uint8) bool {
	n := m & 7
	switch m >> 3 {
	case 0: // PIO default
		return n <= 1
	case 1: // PIO flow control
		return n <= 4
	case 2, 4: // single word and multiword DMA
		if n > 2 {
			return false
		}
	case 8: // Ultra DMA
		if n > 5 {
			return false
		}
	default:
		return false
	}
	d.mode = m
	return true
}

// checksum makes the bytes of b add up to zero.
func checksum(b []byte) {
	var sum byte
	for _, v := range b[:len(b)-1] {
		sum += v
	}
	b[len(b)-1] = -sum
}
