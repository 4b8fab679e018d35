package ide

import "encoding/binary"

// Flags of packet commands.
const (
	needsMedium = 1
	anytime     = 2 // also while a change of medium has not been reported
)

type packetCommand struct {
	name  string
	flags uint8
	run   func(*drive)
}

// packetCommands is SFF-8020i §10.8 and MMC-2 §9.1.
var packetCommands = [256]packetCommand{
	0x00: {"TEST UNIT READY", needsMedium, (*drive).good},
	0x03: {"REQUEST SENSE", anytime, (*drive).pktRequestSense},
	0x12: {"INQUIRY", anytime, (*drive).pktInquiry},
	0x15: {"MODE SELECT 6", 0, (*drive).pktModeSelect},
	0x1a: {"MODE SENSE 6", 0, (*drive).pktModeSense},
	0x1b: {"START STOP UNIT", anytime, (*drive).pktStartStop},
	0x1e: {"PREVENT ALLOW MEDIUM REMOVAL", anytime, (*drive).pktPrevent},
	0x25: {"READ CAPACITY", needsMedium, (*drive).pktReadCapacity},
	0x28: {"READ 10", needsMedium, (*drive).pktRead},
	0x2b: {"SEEK 10", needsMedium, (*drive).pktSeek},
	0x2f: {"VERIFY 10", needsMedium, (*drive).pktSeek},
	0x35: {"SYNCHRONIZE CACHE", 0, (*drive).good},
	0x42: {"READ SUB-CHANNEL", needsMedium, (*drive).pktReadSubchannel},
	0x43: {"READ TOC/PMA/ATIP", needsMedium, (*drive).pktReadTOC},
	0x45: {"PLAY AUDIO 10", needsMedium, (*drive).pktAudio},
	0x46: {"GET CONFIGURATION", anytime, (*drive).pktGetConfiguration},
	0x47: {"PLAY AUDIO MSF", needsMedium, (*drive).pktAudio},
	0x4a: {"GET EVENT STATUS NOTIFICATION", anytime, (*drive).pktGetEvent},
	0x4b: {"PAUSE/RESUME", needsMedium, (*drive).pktAudio},
	0x4e: {"STOP PLAY/SCAN", needsMedium, (*drive).good},
	0x51: {"READ DISC INFORMATION", needsMedium, (*drive).pktReadDiscInfo},
	0x52: {"READ TRACK INFORMATION", needsMedium, (*drive).pktReadTrackInfo},
	0x55: {"MODE SELECT 10", 0, (*drive).pktModeSelect},
	0x5a: {"MODE SENSE 10", 0, (*drive).pktModeSense},
	0xa5: {"PLAY AUDIO 12", needsMedium, (*drive).pktAudio},
	0xa8: {"READ 12", needsMedium, (*drive).pktRead},
	0xac: {"GET PERFORMANCE", needsMedium, (*drive).pktGetPerformance},
	0xad: {"READ DVD STRUCTURE", needsMedium, (*drive).pktReadDVD},
	0xb9: {"READ CD MSF", needsMedium, (*drive).pktReadCD},
	0xbb: {"SET CD SPEED", 0, (*drive).good},
	0xbd: {"MECHANISM STATUS", anytime, (*drive).pktMechanismStatus},
	0xbe: {"READ CD", needsMedium, (*drive).pktReadCD},
}

func be16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }
func be32(b []byte) int { return int(binary.BigEndian.Uint32(b)) }

// msf turns a sector's number into minute, second and frame: sector 0 is at
// 0:2:0.
func msf(lba uint32) (m, s, f uint8) {
	lba += 150
	return uint8(lba / 75 / 60), uint8(lba / 75 % 60), uint8(lba % 75)
}

func bcd(v uint8) uint8 { return v/10%10<<4 | v%10 }

// putAddress stores a sector's number, or its time, in four bytes.
func putAddress(b []byte, lba uint32, asMSF bool) {
	if asMSF {
		b[0] = 0
		b[1], b[2], b[3] = msf(lba)
		return
	}
	binary.BigEndian.PutUint32(b, lba)
}

func (d *drive) pktRequestSense() {
	b := make([]byte, 18)
	b[0] = 0x70 // current error
	if d.sense == senseMedium {
		b[0] |= 0x80 // the information field says where
		binary.BigEndian.PutUint32(b[3:], d.badSector)
	}
	b[2] = d.sense.key
	b[7] = 10
	b[12], b[13] = d.sense.asc, d.sense.ascq
	if d.sense == senseNone && d.change == changeNew { // asked for without an error
		b[2], b[12], b[13] = senseChanged.key, senseChanged.asc, senseChanged.ascq
		d.change = changeNone
	}
	d.answer(b, int(d.pkt[4]))
}

func (d *drive) pktInquiry() {
	if d.pkt[1]&1 != 0 { // vital product data
		switch d.pkt[2] {
		case 0x00:
			d.answer([]byte{5, 0, 0, 2, 0x00, 0x80}, be16(d.pkt[3:]))
		case 0x80:
			d.answer(append([]byte{5, 0x80, 0, byte(len(d.c.Serial))}, d.c.Serial...), be16(d.pkt[3:]))
		default:
			d.check(senseField)
		}
		return
	}
	b := make([]byte, 36)
	b[0] = 0x05 // CD-ROM
	b[1] = 0x80 // removable
	b[2] = 0x00
	b[3] = 0x21 // ATAPI 2, response format 1
	b[4] = 31
	pad := func(b []byte, s string) {
		for i := range b {
			b[i] = ' '
		}
		copy(b, s)
	}
	pad(b[8:16], "QEMU")
	pad(b[16:32], d.c.Model)
	pad(b[32:36], d.c.Firmware)
	d.answer(b, int(d.pkt[4]))
}

// pktModeSelect takes the data and changes nothing.
func (d *drive) pktModeSelect() {
	if d.pkt[0] == 0x15 {
		d.receive(int(d.pkt[4]))
	} else {
		d.receive(be16(d.pkt[7:]))
	}
}

// Mode pages (SFF-8020i §10.8.6, MMC-2 §8.7).
func (d *drive) modePage(page uint8) []byte {
	switch page {
	case 0x01: // read error recovery
		return []byte{0x01, 6, 0, 5, 0, 0, 0, 0}
	case 0x0d: // CD-ROM parameters: units per second and minute
		return []byte{0x0d, 6, 0, 0, 0, 60, 0, 75}
	case 0x0e: // audio control
		return []byte{0x0e, 14, 4, 0, 0, 0, 0, 75, 1, 255, 2, 255, 0, 0, 0, 0}
	case 0x2a: // capabilities and mechanical status
		p := make([]byte, 20)
		p[0], p[1] = 0x2a, 18
		p[2] = 0x3b // reads CD-R, CD-RW, method 2, DVD-ROM, DVD-R
		p[4] = 0x70 // mode 2 form 1 and 2, multi-session
		p[6] = 0x29 // tray, can lock and eject
		if d.locked {
			p[6] |= 2
		}
		binary.BigEndian.PutUint16(p[8:], 706) // kB/s
		binary.BigEndian.PutUint16(p[10:], 2)
		binary.BigEndian.PutUint16(p[12:], 512) // kB of buffer
		binary.BigEndian.PutUint16(p[14:], 706)
		return p
	}
	return nil
}

func (d *drive) pktModeSense() {
	control, page := d.pkt[2]>>6, d.pkt[2]&0x3f
	alloc, header := be16(d.pkt[7:]), 8
	if d.pkt[0] == 0x1a {
		alloc, header = int(d.pkt[4]), 4
	}
	if control == 3 { // saved values
		d.check(senseNoSaving)
		return
	}
	pages := []uint8{page}
	if page == 0x3f {
		pages = []uint8{0x01, 0x0d, 0x0e, 0x2a}
	}
	b := make([]byte, header, 128)
	for _, n := range pages {
		p := d.modePage(n)
		if p == nil {
			d.check(senseField)
			return
		}
		if control == 1 { // changeable bits: none
			clear(p[2:])
		}
		b = append(b, p...)
	}
	medium := uint8(0x01) // 120 mm data disc
	if d.q == nil {
		medium = 0x70
	}
	if d.trayOpen {
		medium = 0x71
	}
	if header == 8 {
		binary.BigEndian.PutUint16(b, uint16(len(b)-2))
		b[2] = medium
	} else {
		b[0], b[1] = uint8(len(b)-1), medium
	}
	d.answer(b, alloc)
}

func (d *drive) pktStartStop() {
	if d.pkt[4]>>4 == 0 && d.pkt[4]&2 != 0 { // LoEj
		load := d.pkt[4]&1 != 0
		if !load && d.locked {
			d.check(senseRemovalLock)
			return
		}
		if d.trayOpen == load {
			d.trayOpen = !load
			if load && d.q != nil {
				d.change, d.event = changeGone, eventNew
			} else if !load {
				d.event = eventRemoval
			}
		}
	}
	d.good()
}

func (d *drive) pktPrevent() {
	d.locked = d.pkt[4]&1 != 0
	d.good()
}

func (d *drive) pktReadCapacity() {
	b := make([]byte, 8)
	binary.BigEndian.PutUint32(b, uint32(min(max(d.cdSectors(), 1)-1, 1<<32-1)))
	binary.BigEndian.PutUint32(b[4:], cdSector)
	d.answer(b, 8)
}

func (d *drive) pktRead() {
	n := be16(d.pkt[7:])
	if d.pkt[0] == 0xa8 {
		n = be32(d.pkt[6:])
	}
	d.readBounded(uint64(be32(d.pkt[2:])), n, false)
}

// readBounded is readCD for a count that may be anything.
func (d *drive) readBounded(lba uint64, n int, raw bool) {
	if n > 65536 && uint64(n) <= d.cdSectors() {
		n = 65536 // 128 MiB at a time is more than any host asks for
	}
	d.readCD(lba, n, raw)
}

func (d *drive) pktSeek() {
	if uint64(be32(d.pkt[2:])) >= max(d.cdSectors(), 1) {
		d.check(senseRange)
		return
	}
	d.good()
}

// pktReadCD reads user data or whole raw sectors (MMC-2 §9.1.18).
func (d *drive) pktReadCD() {
	lba, n := uint64(be32(d.pkt[2:])), int(d.pkt[6])<<16|be16(d.pkt[7:])
	if d.pkt[0] == 0xb9 {
		at := func(b []byte) int { return (int(b[0])*60+int(b[1]))*75 + int(b[2]) - 150 }
		start, end := at(d.pkt[3:]), at(d.pkt[6:])
		if start < 0 || end < start {
			d.check(senseField)
			return
		}
		lba, n = uint64(start), end-start
	}
	if d.pkt[10]&7 != 0 { // sub-channel data
		d.check(senseField)
		return
	}
	switch d.pkt[9] & 0xf8 {
	case 0x00:
		d.good()
	case 0x10:
		d.readBounded(lba, n, false)
	case 0xf8, 0xf0, 0xb8:
		d.readBounded(lba, n, true)
	default:
		d.check(senseField)
	}
}

// pktReadTOC describes one session with one data track.
func (d *drive) pktReadTOC() {
	asMSF := d.pkt[1]&2 != 0
	format := d.pkt[2] & 15
	if format == 0 {
		format = d.pkt[9] >> 6 // where SFF-8020i has it
	}
	start := d.pkt[6]
	out := uint32(min(d.cdSectors(), 1<<32-1))
	var b []byte
	track := func(n uint8, lba uint32) {
		e := make([]byte, 8)
		e[1], e[2] = 0x14, n // data track, position
		putAddress(e[4:], lba, asMSF)
		b = append(b, e...)
	}
	switch format {
	case 0:
		if start > 1 && start != 0xaa {
			d.check(senseField)
			return
		}
		b = []byte{0, 0, 1, 1}
		if start <= 1 {
			track(1, 0)
		}
		track(0xaa, out)
	case 1: // sessions: first track of the last one
		b = []byte{0, 0, 1, 1}
		track(1, 0)
	case 2: // everything, as in the lead-in
		b = []byte{0, 0, 1, 1}
		for _, point := range []uint8{0xa0, 0xa1, 0xa2, 1} {
			e := make([]byte, 11)
			e[0], e[1], e[3] = 1, 0x14, point
			switch point {
			case 0xa0, 0xa1:
				e[8] = 1
			case 0xa2:
				e[8], e[9], e[10] = msf(out)
			default:
				e[8], e[9], e[10] = msf(0)
			}
			b = append(b, e...)
		}
	default:
		d.check(senseField)
		return
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	d.answer(b, be16(d.pkt[7:]))
}

func (d *drive) pktReadSubchannel() {
	b := []byte{0, 0x15, 0, 0} // no audio
	if d.pkt[2]&0x40 != 0 {
		switch d.pkt[3] {
		case 1:
			e := make([]byte, 12)
			e[0], e[1], e[2], e[3] = 1, 0x14, 1, 1
			putAddress(e[4:], 0, d.pkt[1]&2 != 0)
			putAddress(e[8:], 0, d.pkt[1]&2 != 0)
			b = append(b, e...)
		case 2, 3: // catalogue number, track's code: not valid
			e := make([]byte, 20)
			e[0] = d.pkt[3]
			b = append(b, e...)
		default:
			d.check(senseField)
			return
		}
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)-4))
	}
	d.answer(b, be16(d.pkt[7:]))
}

// pktAudio refuses to play a data track.
func (d *drive) pktAudio() { d.check(senseMode) }

const (
	profileCD  = 0x0008
	profileDVD = 0x0010
	cdMaxSize  = 80 * 60 * 75 // sectors of the largest CD
)

// pktGetConfiguration lists profiles and features (MMC-2 §9.1.2).
func (d *drive) pktGetConfiguration() {
	rt, first := d.pkt[1]&3, be16(d.pkt[2:])
	current := 0
	if d.q != nil && !d.trayOpen {
		current = profileCD
		if d.cdSectors() > cdMaxSize {
			current = profileDVD
		}
	}
	b := make([]byte, 8, 128)
	binary.BigEndian.PutUint16(b[6:], uint16(current))
	is := func(p int) byte {
		if current == p {
			return 1
		}
		return 0
	}
	feature := func(code int, flags byte, body ...byte) {
		cur := flags&1 != 0
		if code < first || rt == 1 && !cur || rt == 2 && code != first {
			return
		}
		b = append(b, byte(code>>8), byte(code), flags, byte(len(body)))
		b = append(b, body...)
	}
	feature(0x0000, 3, 0, profileDVD, is(profileDVD), 0, 0, profileCD, is(profileCD), 0) // profiles
	feature(0x0001, 0x0b, 0, 0, 0, 2, 1, 0, 0, 0)                                        // core: ATAPI
	feature(0x0003, 0x03, 0x29, 0, 0, 0)                                                 // removable: tray, eject, lock
	feature(0x0010, is(profileCD)|is(profileDVD), 0, 0, 8, 0, 0, 1, 0, 0)                // random readable
	feature(0x001e, 8|is(profileCD), 0, 0, 0, 0)                                         // CD read
	feature(0x001f, is(profileDVD))                                                      // DVD read
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	d.answer(b, be16(d.pkt[7:]))
}

// Formats of READ DVD STRUCTURE.
const (
	dvdPhysical     = 0x00
	dvdCopyright    = 0x01
	dvdManufacturer = 0x04
	dvdList         = 0xff
)

// pktReadDVD describes a DVD of one layer (MMC-2 §9.1.16, table 204 and what follows).
func (d *drive) pktReadDVD() {
	layer, format := d.pkt[6], d.pkt[7]
	switch {
	case d.cdSectors() <= cdMaxSize:
		d.check(senseFormat)
		return
	case d.pkt[1]&15 != 0 || layer != 0 && format != dvdList: // media type 0 is a DVD
		d.check(senseField)
		return
	}
	b := make([]byte, 4, 2052)
	switch format {
	case dvdPhysical:
		const first = 0x30000 // sector of the data area
		b = b[:4+2048]
		copy(b[4:], []byte{0x01, 0x0f, 0x01, 0}) // DVD-ROM 1.0; 120 mm, no least rate; one embossed layer
		binary.BigEndian.PutUint32(b[8:], first)
		binary.BigEndian.PutUint32(b[12:], first+uint32(d.cdSectors())-1)
	case dvdCopyright: // none, for all regions
		b = b[:4+4]
	case dvdManufacturer:
		b = b[:4+2048]
	case dvdList:
		const readable = 1 << 6
		for _, f := range []struct{ format, size int }{{dvdPhysical, 2052}, {dvdCopyright, 8}, {dvdManufacturer, 2052}} {
			b = append(b, byte(f.format), readable, byte(f.size>>8), byte(f.size))
		}
	default:
		d.check(senseField)
		return
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	d.answer(b, be16(d.pkt[8:]))
}

// pktGetEvent reports media events when polled (MMC-2 §9.1.3).
func (d *drive) pktGetEvent() {
	if d.pkt[1]&1 == 0 { // only asynchronous: not supported
		d.check(senseField)
		return
	}
	const media = 1 << 4
	if d.pkt[4]&media == 0 {
		d.answer([]byte{0, 2, 0x80, media}, be16(d.pkt[7:])) // no event of these classes
		return
	}
	status := byte(0)
	if d.trayOpen {
		status |= 1
	}
	if d.q != nil && !d.trayOpen {
		status |= 2
	}
	b := []byte{0, 6, 4, media, d.event, status, 0, 0}
	d.event = eventNone
	d.answer(b, be16(d.pkt[7:]))
}

func (d *drive) pktReadDiscInfo() {
	if d.pkt[1]&7 != 0 {
		d.check(senseField)
		return
	}
	b := make([]byte, 34)
	b[1] = 32
	b[2] = 0x0e // complete disc, last session complete
	b[3], b[4], b[5], b[6] = 1, 1, 1, 1
	b[7] = 0x20 // unrestricted use
	for i := 16; i < 24; i++ {
		b[i] = 0xff // lead-in and lead-out of a next session: none
	}
	d.answer(b, be16(d.pkt[7:]))
}

func (d *drive) pktReadTrackInfo() {
	b := make([]byte, 36)
	b[1] = 34
	b[2], b[3] = 1, 1
	b[5], b[6] = 0x04, 0x01 // data, mode 1
	binary.BigEndian.PutUint32(b[24:], uint32(d.cdSectors()))
	d.answer(b, be16(d.pkt[7:]))
}

func (d *drive) pktMechanismStatus() {
	b := make([]byte, 8)
	if d.trayOpen {
		b[1] = 0x10 // door open
	}
	b[5] = 1 // slots
	d.answer(b, be16(d.pkt[8:]))
}

// pktGetPerformance gives one descriptor for the whole disc (ReactOS and
// Windows ask).
func (d *drive) pktGetPerformance() {
	if d.pkt[10] != 0 {
		d.check(senseField)
		return
	}
	b := make([]byte, 24)
	binary.BigEndian.PutUint32(b, 20)
	binary.BigEndian.PutUint32(b[12:], 706)
	binary.BigEndian.PutUint32(b[16:], uint32(max(d.cdSectors(), 1)-1))
	binary.BigEndian.PutUint32(b[20:], 706)
	if be16(d.pkt[8:]) == 0 {
		b = b[:8]
		binary.BigEndian.PutUint32(b, 4)
	}
	d.answer(b, 24)
}
