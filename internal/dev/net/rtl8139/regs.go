package rtl8139

// Bits of registers (§5).
const (
	crBUFE = 1 << 0
	crTE   = 1 << 2
	crRE   = 1 << 3
	crRST  = 1 << 4

	isrROK     = 1 << 0
	isrTOK     = 1 << 2
	isrRXOVW   = 1 << 4
	isrLink    = 1 << 5
	isrTDU     = 1 << 7
	isrSW      = 1 << 8
	isrTimeout = 1 << 14

	tsdSize = 0x1fff
	tsdOwn  = 1 << 13
	tsdTOK  = 1 << 15

	tcrLBK     = 3 << 17
	tcrVersion = 0x74800000 // RTL8139C+
	tcrMask    = 0x03070701
	rcrAAP     = 1 << 0
	rcrAPM     = 1 << 1
	rcrAM      = 1 << 2
	rcrAB      = 1 << 3
	rcrWRAP    = 1 << 7
	rcrMask    = 0x0f03ffff

	eeDO    = 1 << 0
	eeDI    = 1 << 1
	eeSK    = 1 << 2
	eeCS    = 1 << 3
	eeMode  = 3 << 6
	eeLoad  = 1 << 6
	eeProg  = 2 << 6
	eeWrite = 3 << 6

	cpTx    = 1 << 0
	cpRx    = 1 << 1
	cpCheck = 1 << 5
	cpVLAN  = 1 << 6

	pollNormal = 1 << 6
	pollHigh   = 1 << 7
	pollSW     = 1 << 0

	msrLinkDown = 1 << 2

	bmsrLink = 1<<2 | 1<<5
	bmcrAN   = 1 << 9
	bmcrRST  = 1 << 15

	dtccrDump  = 1 << 3
	dtccrClear = 1 << 0
)

// register is a line of the table. get has no side effects. set gets the value
// written and which bits of it were written.
type register struct {
	off  int
	size int
	get  func(*Card) uint32
	set  func(k *Card, v, mask uint32)
}

// plain is a register that just holds its bits.
func plain[T uint8 | uint16 | uint32](off int, mask T, p func(*Card) *T) register {
	var zero T
	size := map[uint32]int{0xff: 1, 0xffff: 2, 0xffffffff: 4}[uint32(^zero)]
	return register{off, size, func(k *Card) uint32 { return uint32(*p(k)) },
		func(k *Card, v, m uint32) { *p(k) = *p(k)&^T(m&uint32(mask)) | T(v&m&uint32(mask)) }}
}

func fixed(off, size int, v uint32) register {
	return register{off, size, func(*Card) uint32 { return v }, nil}
}

// then adds what follows when a register was written.
func (r register) then(f func(*Card)) register {
	set := r.set
	r.set = func(k *Card, v, m uint32) { set(k, v, m); f(k) }
	return r
}

// table lists the registers (§5).
func table() []register {
	t := []register{
		plain(0x30, ^uint32(3), func(k *Card) *uint32 { return &k.rbstart }).then(func(k *Card) { k.cbr = 0 }),
		{0x34, 2, func(*Card) uint32 { return 0 }, nil}, // ERBCR
		fixed(0x36, 1, 0), // ERSR
		{0x37, 1, (*Card).getCR, (*Card).setCR},
		{0x38, 2, func(k *Card) uint32 { return uint32(k.capr) }, func(k *Card, v, m uint32) {
			k.capr = k.capr&^uint16(m) | uint16(v&m)
			k.ready()
		}},
		{0x3a, 2, func(k *Card) uint32 { return uint32(k.cbr) }, nil},
		{0x3c, 2, func(k *Card) uint32 { return uint32(k.imr) }, func(k *Card, v, m uint32) {
			k.imr = k.imr&^uint16(m) | uint16(v&m)&0xe1ff
			k.ready()
		}},
		{0x3e, 2, func(k *Card) uint32 { return uint32(k.isr) }, func(k *Card, v, m uint32) { k.isr &^= uint16(v & m) }},
		{0x40, 4, func(k *Card) uint32 { return k.tcr | tcrVersion }, func(k *Card, v, m uint32) { k.tcr = k.tcr&^m | v&m&tcrMask }},
		{0x44, 4, func(k *Card) uint32 { return k.rcr }, func(k *Card, v, m uint32) {
			k.rcr = k.rcr&^m | v&m&rcrMask
			k.cbr = uint16(int(k.cbr) % k.ringSize())
			k.ready()
		}},
		{0x48, 4, func(k *Card) uint32 { return uint32((k.c.Env.Clock.Now() - k.timeBase) / tick) },
			func(k *Card, v, m uint32) { k.timeBase = k.c.Env.Clock.Now() }}, // TCTR
		{0x4c, 4, func(k *Card) uint32 { return k.mpc & 0xffffff }, func(k *Card, _, _ uint32) { k.mpc = 0 }},
		{0x50, 1, (*Card).getEE, (*Card).setEE},
		plain(0x54, ^uint32(0), func(k *Card) *uint32 { return &k.timerInt }),
		{0x58, 1, (*Card).getMSR, func(*Card, uint32, uint32) {}},
		plain(0x5c, ^uint16(0), func(k *Card) *uint16 { return &k.mulint }),
		fixed(0x5e, 1, 0x10), // RERID
		{0x60, 2, (*Card).getTSAD, nil},
		{0x62, 2, func(k *Card) uint32 { return uint32(k.bmcr) }, (*Card).setBMCR},
		{0x64, 2, (*Card).getBMSR, nil},
		plain(0x66, 0x3fff, func(k *Card) *uint16 { return &k.anar }),
		{0x68, 2, func(k *Card) uint32 { return k.ifLink(0x45e1) }, nil}, // ANLPAR
		{0x6a, 2, func(k *Card) uint32 { return k.ifLink(1) }, nil},      // ANER
		fixed(0x6c, 2, 0), fixed(0x6e, 2, 0), fixed(0x70, 2, 0), fixed(0x72, 2, 0),
		{0x74, 2, func(k *Card) uint32 { return 0x01c0 | k.ifLink(0x0408) }, nil}, // CSCR
		{0xd9, 1, func(*Card) uint32 { return 0 }, (*Card).setPoll},
		{0xe0, 2, func(k *Card) uint32 { return uint32(k.cpcr) }, (*Card).setCPCR},
		plain(0xe2, ^uint16(0), func(k *Card) *uint16 { return &k.mitigate }),
		plain(0xe4, ^uint32(0xff), func(k *Card) *uint32 { return &k.rdsar[0] }).then(func(k *Card) { k.rxAt = 0 }),
		plain(0xe8, ^uint32(0), func(k *Card) *uint32 { return &k.rdsar[1] }).then(func(k *Card) { k.rxAt = 0 }),
		plain(0xec, 0x3f, func(k *Card) *uint8 { return &k.etthr }),
	}
	for i := range 8 {
		t = append(t, register{i, 1, func(k *Card) uint32 { return uint32(k.idr[i]) }, func(k *Card, v, _ uint32) {
			if k.ee&eeMode == eeWrite {
				k.idr[i] = uint8(v)
			}
		}}, plain(8+i, ^uint8(0), func(k *Card) *uint8 { return &k.mar[i] }))
	}
	for i := range 4 {
		t = append(t, register{0x10 + 4*i, 4, func(k *Card) uint32 { return k.getTSD(i) }, func(k *Card, v, m uint32) { k.setTSD(i, v, m) }},
			plain(0x20+4*i, ^uint32(0), func(k *Card) *uint32 { return &k.tsad[i] }).then(func(k *Card) {
				if k.cpcr&cpTx != 0 {
					k.txAt[i/2] = 0 // a new ring
				}
			}))
	}
	for i, off := range [...]int{0x51, 0x52, -1, 0x59, 0x5a, 0xd8} {
		if off >= 0 { // only "config register write enable" opens them
			t = append(t, register{off, 1, func(k *Card) uint32 { return uint32(k.config[i]) }, func(k *Card, v, _ uint32) {
				if k.ee&eeMode == eeWrite {
					k.config[i] = uint8(v)
				}
			}})
		}
	}
	return t
}

// lines is the table, and which of its lines each byte of the registers is in,
// counted from 1.
var lines, index = func() ([]register, [256]uint8) {
	t := table()
	var x [256]uint8
	for i, r := range t {
		for b := range r.size {
			x[r.off+b] = uint8(i + 1)
		}
	}
	return t, x
}()

// registers is the card's two BARs.
type registers Card

// Read implements mem.MMIO. What is wider than a register reads several.
func (r *registers) Read(off uint64, size int) uint64 {
	k := (*Card)(r)
	if k.fn.Mastering() {
		return ^uint64(0) >> (64 - 8*size)
	}
	var v uint64
	for i := 0; i < size; {
		at := int(off) + i
		n := 1
		if at < 256 && index[at] != 0 {
			l := &lines[index[at]-1]
			n = min(size-i, l.off+l.size-at)
			v |= uint64(l.get(k)>>(8*(at-l.off))&(1<<(8*n)-1)) << (8 * i)
		}
		i += n
	}
	return v
}

// Write implements mem.MMIO.
func (r *registers) Write(off uint64, size int, v uint64) {
	k := (*Card)(r)
	if k.fn.Mastering() {
		k.c.Env.Log.Guest("rtl8139: it is told to write to itself, at %#x", off)
		return
	}
	for i := 0; i < size; {
		at := int(off) + i
		n := 1
		if at < 256 && index[at] != 0 {
			l := &lines[index[at]-1]
			n = min(size-i, l.off+l.size-at)
			shift := 8 * (at - l.off)
			mask := uint32(1<<(8*n)-1) << shift
			if l.set != nil {
				l.set(k, uint32(v>>(8*i))<<shift&mask, mask)
			}
		}
		i += n
	}
	k.Settle()
}

func (k *Card) ifLink(v uint32) uint32 {
	if k.link {
		return v
	}
	return 0
}

func (k *Card) getCR() uint32 {
	v := uint32(k.cr)
	if k.empty() {
		v |= crBUFE
	}
	return v
}

func (k *Card) setCR(v, _ uint32) {
	if v&crRST != 0 {
		k.softReset()
	}
	if v&crRE != 0 && k.cr&crRE == 0 {
		k.cbr = 0
	}
	k.cr = uint8(v) & (crRE | crTE)
	k.blocked = true // what has waited may be unwanted now
	k.ready()
	k.transmit()
}

// The EEPROM's pins are software's in programming mode only.
func (k *Card) getEE() uint32 {
	v := uint32(k.ee) &^ eeDO
	if k.ee&eeMode == eeProg && k.eeprom.DO() {
		v |= eeDO
	}
	return v
}

func (k *Card) setEE(v, _ uint32) {
	k.ee = uint8(v) & (eeMode | eeCS | eeSK | eeDI)
	switch k.ee & eeMode {
	case eeProg:
		k.eeprom.Pins(v&eeCS != 0, v&eeSK != 0, v&eeDI != 0)
	case eeLoad:
		k.load()
		k.ee &^= eeMode // done
	}
}

func (k *Card) getMSR() uint32 {
	if k.link {
		return 0x10 // full speed, no flow control
	}
	return 0x10 | msrLinkDown
}

func (k *Card) setBMCR(v, m uint32) {
	k.bmcr = k.bmcr&^uint16(m) | uint16(v&m)&0x3100
	if v&(bmcrRST|bmcrAN) != 0 && k.link { // it has negotiated anew, in no time
		k.isr |= isrLink
	}
	if v&bmcrRST != 0 {
		k.bmcr, k.anar = 0x3100, 0x05e1
	}
}

func (k *Card) getBMSR() uint32 { return 0x7809 | k.ifLink(bmsrLink) }

// getTSAD summarises the four transmit registers (§5.20).
func (k *Card) getTSAD() uint32 {
	v := uint32(0)
	for i, d := range k.tsd {
		if d&tsdTOK != 0 {
			v |= 1 << (12 + i)
		}
		if d&tsdOwn != 0 {
			v |= 1 << i
		}
	}
	return v
}

func (k *Card) setCPCR(v, m uint32) {
	k.cpcr = k.cpcr&^uint16(m) | uint16(v&m)&0x007b
	k.blocked = true
	k.ready()
	k.transmit()
}

// setPoll has the C+ mode look at its transmit rings.
func (k *Card) setPoll(v, _ uint32) {
	if v&pollSW != 0 {
		k.isr |= isrSW
	}
	if v&(pollNormal|pollHigh) != 0 {
		k.transmit()
	}
}
