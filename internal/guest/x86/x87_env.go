package x86

import "rhea/internal/ir"

// Control operations of the helper hX87Control.
const (
	ctlNOP = iota
	ctlFLDCW
	ctlFNCLEX
	ctlFNINIT
	ctlMask   // what FNSTENV does after storing
	ctlFNSTSW // to scratch
)

// x87Control does what concerns the control and status words.
func (c *CPU) x87Control(op int, v uint64) {
	s := c.s
	switch op {
	case ctlFLDCW:
		s.FCW = v&fcwBits | fcwFixed
	case ctlFNCLEX:
		s.FSW &^= fswExceptions | fswSF | fswES | fswB
	case ctlFNINIT:
		s.FCW, s.FSW, s.FTop, s.FTW = fcwInit, 0, 0, 0
		s.setFIP(0)
		s.FCS, s.FDP, s.FDS, s.FOP = 0, 0, 0, 0
	case ctlMask:
		s.FCW |= fswExceptions
	case ctlFNSTSW:
		s.Tmp[2] = s.statusWord()
		return
	default:
		return
	}
	c.x87Summary()
}

// x87Summary derives ES and B from flags and masks, and the FERR# pin from
// them.
func (c *CPU) x87Summary() {
	s := c.s
	s.FSW &^= fswES | fswB
	if s.FSW&^s.FCW&fswExceptions != 0 {
		s.FSW |= fswES | fswB
	} else {
		c.setFERR(false)
	}
}

// Formats of images in memory: FSTENV's, by two bits, and FXSAVE's.
const (
	image32        = 1 << 0 // 32-bit operand size
	imageProtected = 1 << 1
	imageFX        = 1 << 2
	imageLong      = 1 << 3 // FXSAVE64: pointers of 64 bits
)

// envFormat is the format of FLDENV and so on here (SDM vol. 1, 8.1.10).
func (t *tx) envFormat() (format uint64, size int) {
	size = t.in.opsize
	if size > 2 {
		format, size = image32, 4
	}
	if t.is(modePE) {
		format |= imageProtected
	}
	return format, size
}

// Parts of an image: the seven words of FSTENV's (SDM vol. 1, figures 8-9 to
// 8-12), the first three of FXSAVE's header, and then the registers.
const (
	envControl = iota
	envStatus
	envTag
	envIP
	envCS
	envDP
	envDS
	envWords

	partST = 8 // ST(0) is 8 and 9, ST(1) 10 and 11, ...
)

// fullTag makes the tag word of the abridged one (SDM vol. 2, FXSAVE).
func (s *State) fullTag() uint64 {
	var w uint64
	for i := range 8 {
		tag := uint64(3)
		if s.FTW>>i&1 != 0 {
			switch classify(f80{Man: s.FPR[i][0], SE: uint16(s.FPR[i][1])}) {
			case tagNormal:
				tag = 0
			case tagZero:
				tag = 1
			default:
				tag = 2
			}
		}
		w |= tag << (2 * i)
	}
	return w
}

// statusWord is FSW with TOP.
func (s *State) statusWord() uint64 { return s.FSW | s.FTop<<11 }

// imageWord returns part k of an image.
func (c *CPU) imageWord(format, k uint64) uint64 {
	s := c.s
	if k >= partST {
		r := &s.FPR[(s.FTop+(k-partST)/2)&7]
		return r[k&1]
	}
	if format&imageFX != 0 {
		switch {
		case k == 0:
			return s.FCW | s.statusWord()<<16 | s.FTW<<32 | s.FOP<<48
		case format&imageLong != 0 && k == 1:
			return s.fip()
		case format&imageLong != 0 && k == 2:
			return s.FDP
		case k == 1:
			return s.fip()&0xffffffff | s.FCS<<32
		case k == 2:
			return s.FDP&0xffffffff | s.FDS<<32
		}
		return s.MXCSR | c.model.mxcsrMask()<<32
	}
	const reserved = 0xffff0000 // is stored as ones
	ip, dp := s.fip()&0xffffffff, s.FDP&0xffffffff
	if format&imageProtected == 0 { // linear addresses
		ip, dp = (ip+s.FCS<<4)&0xffffffff, (dp+s.FDS<<4)&0xffffffff
	}
	switch k {
	case envControl:
		return s.FCW | reserved
	case envStatus:
		return s.statusWord() | reserved
	case envTag:
		return s.fullTag() | reserved
	}
	switch format {
	case 0, image32:
		return [...]uint64{
			envIP: ip&0xffff | reserved, envCS: ip>>16<<12&0x0ffff000 | s.FOP,
			envDP: dp&0xffff | reserved, envDS: dp >> 16 << 12 & 0x0ffff000,
		}[k]
	case image32 | imageProtected:
		return [...]uint64{envIP: ip, envCS: s.FCS | s.FOP<<16, envDP: dp, envDS: s.FDS | reserved}[k]
	}
	return [...]uint64{envIP: ip, envCS: s.FCS, envDP: dp, envDS: s.FDS}[k]
}

// putImage loads part k of an image; of a register, lo and hi at once.
// FSTENV's words come in their order, and then the registers.
func (c *CPU) putImage(format, k, lo, hi uint64) {
	s := c.s
	if k >= partST {
		s.FPR[(s.FTop+(k-partST)/2)&7] = [2]uint64{lo, hi & 0xffff}
		return
	}
	if format&imageFX != 0 {
		switch k {
		case 0:
			s.FCW = lo&fcwBits | fcwFixed
			s.FSW, s.FTop = lo>>16&0xffff&^(7<<11), lo>>27&7
			s.FTW, s.FOP = lo>>32&0xff, lo>>48&0x7ff
			c.x87Summary()
		case 1:
			if format&imageLong != 0 {
				s.setFIP(lo)
				s.FCS = 0
			} else {
				s.setFIP(lo & 0xffffffff)
				s.FCS = lo >> 32 & 0xffff
			}
		case 2:
			if format&imageLong != 0 {
				s.FDP, s.FDS = lo, 0
			} else {
				s.FDP, s.FDS = lo&0xffffffff, lo>>32&0xffff
			}
		}
		return
	}
	protected := format&imageProtected != 0
	switch k {
	case envControl:
		s.FCW = lo&fcwBits | fcwFixed
	case envStatus:
		s.FSW, s.FTop = lo&0xffff&^(7<<11), lo>>11&7
	case envTag:
		s.FTW = 0
		for i := range 8 {
			if lo>>(2*i)&3 != 3 {
				s.FTW |= 1 << i
			}
		}
		c.x87Summary()
	case envIP:
		if format != image32|imageProtected {
			lo &= 0xffff
		}
		s.setFIP(lo)
	case envCS:
		switch {
		case !protected:
			s.setFIP(s.fip() | lo>>12<<16&0xffff0000)
			s.FCS, s.FOP = 0, lo&0x7ff
		case format&image32 != 0:
			s.FCS, s.FOP = lo&0xffff, lo>>16&0x7ff
		default:
			s.FCS = lo & 0xffff
		}
	case envDP:
		s.FDP = lo
		if format != image32|imageProtected {
			s.FDP &= 0xffff
		}
	case envDS:
		if !protected {
			s.FDP |= lo >> 12 << 16 & 0xffff0000
			lo = 0
		}
		s.FDS = lo & 0xffff
	}
}

func (t *tx) imageWord(format, k uint64) ir.Val {
	return t.Call(ir.I64, hX87Image, ir.NoStop, t.Const(ir.I64, format), t.Const(ir.I64, k))
}

func (t *tx) putImage(format, k uint64, lo, hi ir.Val) {
	t.Call(ir.Void, hX87Put, ir.NoStop, t.Const(ir.I64, format|k<<8), lo, hi)
	t.forgetX87()
}

// image accesses the image at linear address base.
type image struct {
	t    *tx
	base ir.Val
}

// imageAt checks the memory operand of size bytes.
func (t *tx) imageAt(size int, write, aligned bool) image {
	return image{t, t.address(size, write, aligned)}
}

func (m image) load(off, size int) ir.Val {
	return m.t.Load(m.t.BinImm(ir.Add, m.base, uint64(off)), ir.Mem{Size: size, Index: m.t.mmu()})
}

func (m image) store(off int, v ir.Val, size int) {
	m.t.Store(m.t.BinImm(ir.Add, m.base, uint64(off)), v, ir.Mem{Size: size, Index: m.t.mmu()})
}

// storeEnv stores the environment and, if all is set, the registers.
func (t *tx) storeEnv(all bool) {
	format, size := t.envFormat()
	bytes := envWords * size
	if all {
		bytes += 8 * 10
	}
	m := t.imageAt(bytes, true, false)
	for k := range envWords {
		m.store(k*size, t.Conv(ir.IntType(size), t.imageWord(format, uint64(k)), false), size)
	}
	for i := range 8 {
		if all {
			at := envWords*size + 10*i
			m.store(at, t.imageWord(format, uint64(partST+2*i)), 8)
			m.store(at+8, t.Conv(ir.I16, t.imageWord(format, uint64(partST+2*i+1)), false), 2)
		}
	}
}

// loadEnv loads the environment and, if all is set, the registers.
func (t *tx) loadEnv(all bool) {
	format, size := t.envFormat()
	bytes := envWords * size
	if all {
		bytes += 8 * 10
	}
	m := t.imageAt(bytes, false, false)
	var env [envWords]ir.Val
	var st [8][2]ir.Val
	for k := range env {
		env[k] = t.Conv(ir.I64, m.load(k*size, size), false)
	}
	for i := range st {
		if all {
			at := envWords*size + 10*i
			st[i] = [2]ir.Val{m.load(at, 8), t.Conv(ir.I64, m.load(at+8, 2), false)}
		}
	}
	for k, v := range env {
		t.putImage(format, uint64(k), v, t.zero64())
	}
	for i, v := range st {
		if all {
			t.putImage(format, uint64(partST+2*i), v[0], v[1])
		}
	}
}

func emitFnstenv(t *tx) {
	if t.x87Begin(false) {
		t.storeEnv(false)
		t.x87Done(ctlMask)
	}
}

func emitFldenv(t *tx) {
	if t.x87Begin(true) {
		t.loadEnv(false)
		t.exit(t.next) // the mode may have changed
	}
}

func emitFnsave(t *tx) {
	if t.x87Begin(false) {
		t.storeEnv(true)
		t.x87Done(ctlFNINIT)
	}
}

func emitFrstor(t *tx) {
	if t.x87Begin(true) {
		t.loadEnv(true)
		t.exit(t.next)
	}
}

func (t *tx) x87Done(op uint64) {
	t.Call(ir.Void, hX87Control, ir.NoStop, t.Const(ir.I64, op))
	t.forgetX87()
	t.modeFMChanged()
}

// modeFMChanged ends the unit if modeFM may have been cleared.
func (t *tx) modeFMChanged() {
	if t.is(modeFM) {
		t.exit(t.next)
	}
}

// FXSAVE's image (SDM vol. 1, table 10-2): a header of 32 bytes, ST(0) to
// ST(7) and XMM0 to XMM7, in 64-bit mode XMM15, in 16 bytes each; what is beyond
// is left alone.
const (
	fxSize = 512
	fxST   = 32
	fxXMM  = 160
)

// fxFormat is the format of FXSAVE here.
func (t *tx) fxFormat() uint64 {
	if t.in.opsize == 8 {
		return imageFX | imageLong
	}
	return imageFX
}

// vectors is how many XMM registers the mode has.
func (t *tx) vectors() int {
	if t.long {
		return 16
	}
	return 8
}

func emitFxsave(t *tx) {
	if t.is(modeEM | modeTS) {
		t.raise(vecNM, 0, false)
		return
	}
	m := t.imageAt(fxSize, true, true)
	format := t.fxFormat()
	word := func(k int) ir.Val { return t.imageWord(format, uint64(k)) }
	m.store(0, t.vmake(word(0), word(1)), 16)
	if t.c.model.has(featSSE) {
		m.store(16, t.vmake(word(2), word(3)), 16)
	} else {
		m.store(16, word(2), 8)
	}
	for i := range 8 {
		m.store(fxST+16*i, t.vmake(word(partST+2*i), word(partST+2*i+1)), 16)
	}
	if t.c.model.has(featSSE) {
		for i := range t.vectors() {
			m.store(fxXMM+16*i, t.xmm(i), 16)
		}
	}
}

func emitFxrstor(t *tx) {
	if t.is(modeEM | modeTS) {
		t.raise(vecNM, 0, false)
		return
	}
	sse := t.c.model.has(featSSE)
	m := t.imageAt(fxSize, false, true)
	var st [8]ir.Val
	xmm := make([]ir.Val, t.vectors())
	head, tail := m.load(0, 16), m.load(16, 16)
	for i := range st {
		st[i] = m.load(fxST+16*i, 16)
	}
	var mxcsr ir.Val
	if sse {
		for i := range xmm {
			xmm[i] = m.load(fxXMM+16*i, 16)
		}
		mxcsr = t.BinImm(ir.And, t.vhigh(tail), 0xffffffff)
		t.checkMXCSR(mxcsr)
	}
	defer t.exit(t.next) // the mode may have changed
	for k, v := range []ir.Val{t.vlow(head), t.vhigh(head), t.vlow(tail)} {
		t.putImage(t.fxFormat(), uint64(k), v, t.zero64())
	}
	for i, v := range st {
		t.putImage(imageFX, uint64(partST+2*i), t.vlow(v), t.vhigh(v))
	}
	if sse {
		for i, v := range xmm {
			t.setXMM(i, v)
		}
		t.Set(slotMXCSR, mxcsr)
	}
}
