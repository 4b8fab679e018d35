package cirrus

import "rhea/internal/snap"

// The blitter's registers among those of the graphics controller (TRM,
// chapter 9, "BitBLT").
const (
	bltMode    = 0x30
	bltStatus  = 0x31
	bltROP     = 0x32
	bltModeExt = 0x33

	modeBackwards   = 1 << 0 // GR30
	modeToHost      = 1 << 1
	modeFromHost    = 1 << 2
	modeTransparent = 1 << 3
	modePattern     = 1 << 6
	modeExpand      = 1 << 7

	extDwords = 1 << 0 // GR33
	extInvert = 1 << 1
	extSolid  = 1 << 2

	bltBusy      = 1 << 0 // GR31
	bltProgress  = 1 << 3
	bltStart     = 1 << 1
	bltReset     = 1 << 2
	bltBuffered  = 1 << 4
	bltAutoStart = 1 << 7
)

// maxLine is the most bytes of a line of source data: 8192 and what rounds
// them up.
const maxLine = 8192 + 4

// A blit is done at once up to work bytes, 10 ms on a slow host: so long the
// machine's lock is held. The rest follows in parts of that size; meanwhile the
// registers say that the blitter is busy, as the chip's do. What is moved or filled
// without a look at its bytes counts less.
const (
	work      = 1 << 20
	plainWork = 16 // bytes that are as much as one
	pause     = 4_000_000
)

// blit is what the blitter does. While it waits for the processor's data, or
// has some for it, it is active.
type blit struct {
	fromHost, toHost bool
	running          bool // lines from done on are to be drawn

	width, height      int // bytes, lines
	dst, src           uint32
	dstPitch, srcPitch int
	depth              int // bytes of a pixel
	mode, ext, rop     uint8
	skip               int // pixels, on the left
	fg, bg             uint32
	key                uint32

	// Data of the host.
	line  [maxLine]uint8
	pitch int // bytes of a line of it
	have  int // bytes of line that have come, or have gone
	done  int // lines
}

func (b *blit) active() bool { return b.fromHost || b.toHost }

func (b *blit) state(s *snap.Section) {
	s.Version(2)
	s.Bool("from-host", &b.fromHost)
	s.Bool("to-host", &b.toHost)
	s.Bool("running", &b.running)
	s.Int("width", &b.width, 0, 8192)
	s.Int("height", &b.height, 0, 2048)
	s.U32("dst", &b.dst)
	s.U32("src", &b.src)
	s.Int("dst-pitch", &b.dstPitch, 0, 8191)
	s.Int("src-pitch", &b.srcPitch, 0, 8191)
	s.Int("depth", &b.depth, 0, 4)
	s.U8("mode", &b.mode)
	s.U8("ext", &b.ext)
	s.U8("rop", &b.rop)
	s.Int("skip", &b.skip, 0, 7)
	s.U32("fg", &b.fg)
	s.U32("bg", &b.bg)
	s.U32("key", &b.key)
	s.Bytes("line", b.line[:])
	s.Int("pitch", &b.pitch, 0, maxLine)
	s.Int("have", &b.have, 0, maxLine)
	s.Int("done", &b.done, 0, 2048)
	s.Check(!b.running || b.done < b.height && b.width > 0 && b.depth > 0 && !b.active() && rops[b.rop] != nil, "what the blitter draws makes no sense")
	s.Check(!b.active() || b.pitch > 0 && b.have < b.pitch && b.done < b.height && b.width > 0 && b.depth > 0 && !(b.fromHost && b.toHost),
		"the data that the blitter waits for makes no sense")
}

// ropCopy writes the source as it is.
const ropCopy = 0x0d

// rops are the raster operations of source and destination.
var rops = map[uint8]func(s, d uint8) uint8{
	0x00: func(s, d uint8) uint8 { return 0 },
	0x05: func(s, d uint8) uint8 { return s & d },
	0x06: func(s, d uint8) uint8 { return d },
	0x09: func(s, d uint8) uint8 { return s &^ d },
	0x0b: func(s, d uint8) uint8 { return ^d },
	0x0d: func(s, d uint8) uint8 { return s },
	0x0e: func(s, d uint8) uint8 { return 0xff },
	0x50: func(s, d uint8) uint8 { return ^s & d },
	0x59: func(s, d uint8) uint8 { return s ^ d },
	0x6d: func(s, d uint8) uint8 { return s | d },
	0x90: func(s, d uint8) uint8 { return ^(s | d) },
	0x95: func(s, d uint8) uint8 { return ^(s ^ d) },
	0xad: func(s, d uint8) uint8 { return s | ^d },
	0xd0: func(s, d uint8) uint8 { return ^s },
	0xd6: func(s, d uint8) uint8 { return ^s | d },
	0xda: func(s, d uint8) uint8 { return ^(s & d) },
}

// registers of the blitter in memory, by their offset: which of the graphics
// controller's they are (0xff = none).
var blitterMap = [0x41]uint8{
	0x00, 0x10, 0x12, 0x14, 0x01, 0x11, 0x13, 0x15, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
	0x28, 0x29, 0x2a, 0xff, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0xff, 0x32, 0x33, 0x34, 0x35, 0xff, 0xff,
	0x38, 0x39, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x31,
}

func (k *Cirrus) readBlitter(off uint32) uint8 {
	if off >= uint32(len(blitterMap)) || blitterMap[off] == 0xff {
		return 0xff
	}
	return k.gr[blitterMap[off]]
}

func (k *Cirrus) writeBlitter(off uint32, x uint8) {
	if off >= uint32(len(blitterMap)) || blitterMap[off] == 0xff {
		return
	}
	if i := blitterMap[off]; i < 2 {
		k.gr[i] = x
	} else {
		k.writeGR(i, x)
	}
}

// writeStatus is GR31: bit 1 starts, bit 2 resets.
func (k *Cirrus) writeStatus(x uint8) {
	was := k.gr[bltStatus]
	const own = bltBusy | bltProgress | bltBuffered
	k.gr[bltStatus] = x&^own | was&own
	switch {
	case was&bltReset != 0 && x&bltReset == 0:
		k.end()
	case was&bltStart == 0 && x&bltStart != 0:
		k.start()
	}
}

// end stops what is going on.
func (k *Cirrus) end() {
	k.gr[bltStatus] &^= bltStart | bltBusy | bltProgress | bltBuffered
	if k.blit.running {
		k.blit.running = false
		k.timer.Stop()
	}
	if k.blit.active() {
		k.blit.fromHost, k.blit.toHost = false, false
		k.host.Enable(false)
		k.vga.Changed()
	}
}

// start takes the registers and begins. What is still going on ends: programs wait
// for it.
func (k *Cirrus) start() {
	if k.blit.running {
		k.env.Log.Guest("cirrus: a blit begins before another one has ended")
	}
	k.end()
	g := &k.gr
	word := func(i int) int { return int(g[i]) | int(g[i+1])<<8 }
	b := &k.blit
	*b = blit{
		width: word(0x20)&0x1fff + 1, height: word(0x22)&0x7ff + 1, dstPitch: word(0x24) & 0x1fff, srcPitch: word(0x26) & 0x1fff,
		dst: uint32(g[0x28]) | uint32(g[0x29])<<8 | uint32(g[0x2a]&0x3f)<<16, src: uint32(g[0x2c]) | uint32(g[0x2d])<<8 | uint32(g[0x2e]&0x3f)<<16,
		depth: int(g[bltMode]>>4&3) + 1, mode: g[bltMode], ext: g[bltModeExt], rop: g[bltROP], skip: int(g[0x2f] & 7),
		bg:  uint32(g[0]) | uint32(g[0x10])<<8 | uint32(g[0x12])<<16 | uint32(g[0x14])<<24,
		fg:  uint32(g[1]) | uint32(g[0x11])<<8 | uint32(g[0x13])<<16 | uint32(g[0x15])<<24,
		key: uint32(g[0x34]) | uint32(g[0x35])<<8,
	}
	if b.depth == 1 {
		b.key &= 0xff
	}
	if _, known := rops[b.rop]; !known {
		k.env.Log.Guest("cirrus: unknown raster operation %#x", b.rop)
		return
	}
	switch {
	case b.mode&(modeFromHost|modeToHost) == modeFromHost|modeToHost:
		k.env.Log.Guest("cirrus: a blit from the host to the host")
		return
	case b.mode&modeToHost != 0:
		b.pitch = (b.width + 3) &^ 3
		b.toHost = true
		k.fetch()
	case b.mode&modeFromHost != 0:
		b.pitch = k.hostPitch()
		b.fromHost = true
	default:
		k.run()
		return
	}
	g[bltStatus] |= bltBusy | bltBuffered
	k.host.Enable(true)
	k.vga.Changed()
}

// hostPitch is the bytes of a line that come from the host.
func (k *Cirrus) hostPitch() int {
	b := &k.blit
	switch {
	case b.mode&modePattern != 0 && b.mode&modeExpand != 0:
		return 8
	case b.mode&modePattern != 0: // eight lines at once; those of three bytes a pixel are as long as those of four
		return 64 * patternDepth(b.depth)
	case b.mode&modeExpand != 0:
		return b.bits(b.ext&extDwords != 0)
	}
	return (b.width + 3) &^ 3
}

// bits is the bytes of a line of a monochrome source.
func (b *blit) bits(dwords bool) int {
	n := (b.width + b.depth - 1) / b.depth
	if dwords {
		return (n + 31) / 32 * 4
	}
	return (n + 7) / 8
}

func patternDepth(depth int) int {
	if depth == 3 {
		return 4
	}
	return depth
}

// run draws a blit for which all data is there.
func (k *Cirrus) run() {
	k.blit.running = true
	k.proceed()
}

// proceed draws lines, as many as may be done at once.
func (k *Cirrus) proceed() {
	b := &k.blit
	for n := 0; b.done < b.height; b.done++ {
		if n >= work {
			k.gr[bltStatus] |= bltBusy | bltProgress | bltBuffered
			k.timer.Set(k.env.Clock.Now() + pause)
			return
		}
		n += k.drawLine(b.done)
	}
	k.end()
}

// drawLine draws line y and returns how much work that was.
func (k *Cirrus) drawLine(y int) int {
	b := &k.blit
	at := uint32(y)
	switch {
	case b.mode&modePattern != 0 && b.mode&modeExpand != 0 && b.ext&extSolid != 0 && b.mode&modeFromHost == 0:
		if b.rop == ropCopy && b.skip == 0 && k.solid(k.line0(y)&k.mask, uint32(b.width)) {
			return b.width / plainWork
		}
		k.expand(y, func(int) bool { return true })
	case b.mode&modePattern != 0 && b.mode&modeFromHost != 0:
		k.pattern(y, func(i int) uint8 { return b.line[i] })
	case b.mode&modePattern != 0:
		k.pattern(y, func(i int) uint8 { return k.b[(b.src&^7+uint32(i))&k.mask] })
	case b.mode&modeExpand != 0:
		row := b.src + at*uint32(b.bits(b.ext&extDwords != 0))
		k.expand(y, func(i int) bool { return k.b[(row+uint32(i/8))&k.mask]>>(7-i%8)&1 != 0 })
	case b.mode&modeBackwards != 0:
		k.copyLine(b.dst-at*uint32(b.dstPitch), b.src-at*uint32(b.srcPitch), ^uint32(0), func(at uint32) uint8 { return k.b[at&k.mask] })
	default:
		dst, src := b.dst+at*uint32(b.dstPitch), b.src+at*uint32(b.srcPitch)
		if b.rop == ropCopy && b.mode&modeTransparent == 0 && k.move(dst&k.mask, src&k.mask, uint32(b.width)) {
			return b.width / plainWork
		}
		k.copyLine(dst, src, 1, func(at uint32) uint8 { return k.b[at&k.mask] })
	}
	return b.width
}

// move copies n bytes if neither end wraps and they do not overlap in a way
// that shows in which order it is done.
func (k *Cirrus) move(dst, src, n uint32) bool {
	if dst+n > k.vram || src+n > k.vram || dst > src && dst < src+n {
		return false
	}
	copy(k.b[dst:dst+n], k.b[src:src+n])
	k.vga.Wrote(uint64(dst), uint64(n))
	return true
}

// solid fills n bytes with the foreground colour.
func (k *Cirrus) solid(dst, n uint32) bool {
	if dst+n > k.vram {
		return false
	}
	line := k.b[dst : dst+n]
	done := min(k.blit.depth, len(line))
	for i := range done {
		line[i] = uint8(k.blit.fg >> (8 * i))
	}
	for done < len(line) {
		done += copy(line[done:], line[:done])
	}
	k.vga.Wrote(uint64(dst), uint64(n))
	return true
}

// copyLine combines a line of width bytes. Step is 1, or -1 as a uint32.
func (k *Cirrus) copyLine(dst, src, step uint32, load func(at uint32) uint8) {
	b := &k.blit
	rop := rops[b.rop]
	if b.mode&modeTransparent != 0 && b.depth <= 2 {
		// A pixel whose result is the key is not written.
		n := uint32(b.depth)
		for i := uint32(0); i+n <= uint32(b.width); i += n {
			var r [2]uint8
			x := uint32(0)
			for j := range n {
				o := (i + j) * step
				r[j] = rop(load(src+o), k.b[(dst+o)&k.mask])
				low := j // the byte's place in the pixel
				if step != 1 {
					low = n - 1 - j
				}
				x |= uint32(r[j]) << (8 * low)
			}
			if x == b.key {
				continue
			}
			for j := range n {
				k.b[(dst+(i+j)*step)&k.mask] = r[j]
			}
		}
	} else {
		for i := range uint32(b.width) {
			at := (dst + i*step) & k.mask
			k.b[at] = rop(load(src+i*step), k.b[at])
		}
	}
	if step != 1 {
		dst -= uint32(b.width) - 1
	}
	k.wrote(dst, b.width)
}

// wrote notes a write of n bytes, which may wrap.
func (k *Cirrus) wrote(at uint32, n int) {
	at &= k.mask
	first := min(uint32(n), k.vram-at)
	k.vga.Wrote(uint64(at), uint64(first))
	if rest := uint32(n) - first; rest > 0 {
		k.vga.Wrote(0, uint64(min(rest, k.vram)))
	}
}

// line0 is where line y of the destination begins, and the step from pixel to
// pixel's byte is always forwards: backwards blits have no colour expansion.
func (k *Cirrus) line0(y int) uint32 { return k.blit.dst + uint32(y)*uint32(k.blit.dstPitch) }

// expand draws line y in two colours, or in one where it is transparent.
func (k *Cirrus) expand(y int, bit func(i int) bool) {
	b := &k.blit
	rop := rops[b.rop]
	clear, colour, invert := b.mode&modeTransparent != 0, b.fg, false
	if clear && b.ext&extInvert != 0 {
		colour, invert = b.bg, true
	}
	dst := k.line0(y)
	for i := b.skip; i*b.depth < b.width; i++ {
		c, on := colour, bit(i) != invert
		if !on {
			if clear {
				continue
			}
			c = b.bg
		}
		for j := 0; j < b.depth && i*b.depth+j < b.width; j++ {
			at := (dst + uint32(i*b.depth+j)) & k.mask
			k.b[at] = rop(uint8(c>>(8*j)), k.b[at])
		}
	}
	k.wrote(dst, b.width)
}

// pattern fills line y with those of 8 x 8 pixels, of two colours or of their own; src
// returns byte i of them. The three low bits of the source address are the first line.
func (k *Cirrus) pattern(y int, src func(i int) uint8) {
	b := &k.blit
	row := (int(b.src&7) + y) & 7
	if b.mode&modeExpand != 0 {
		k.expand(y, func(i int) bool { return src(row)>>(7-i&7)&1 != 0 })
		return
	}
	rop := rops[b.rop]
	pitch := 8 * patternDepth(b.depth)
	dst := k.line0(y)
	for i := b.skip * b.depth; i < b.width; i++ {
		at := (dst + uint32(i)) & k.mask
		k.b[at] = rop(src(row*pitch+i%(8*b.depth)), k.b[at])
	}
	k.wrote(dst, b.width)
}

// hostWrite is the processor's data, in the order of its bytes.
func (k *Cirrus) hostWrite(size int, x uint64) {
	for i := range size {
		if k.blit.fromHost {
			k.takeByte(uint8(x >> (8 * i)))
		}
	}
}

// takeByte takes the next byte of a blit from the host.
func (k *Cirrus) takeByte(x uint8) {
	b := &k.blit
	b.line[b.have] = x
	if b.have++; b.have < b.pitch {
		return
	}
	b.have = 0
	switch {
	case b.mode&modePattern != 0: // that was all
		b.fromHost = false
		k.host.Enable(false)
		k.vga.Changed()
		k.gr[bltStatus] &^= bltBusy | bltBuffered
		k.run()
		return
	case b.mode&modeExpand != 0:
		k.expand(b.done, func(i int) bool { return b.line[i/8]>>(7-i%8)&1 != 0 })
	default:
		k.copyLine(k.line0(b.done), 0, 1, func(i uint32) uint8 { return b.line[i] })
	}
	if b.done++; b.done == b.height {
		k.end()
	}
}

// fetch puts a line for the host into the buffer.
func (k *Cirrus) fetch() {
	b := &k.blit
	clear(b.line[:b.pitch])
	row := b.src + uint32(b.done)*uint32(b.srcPitch)
	for i := range b.width {
		b.line[i] = k.b[(row+uint32(i))&k.mask]
	}
}

func (k *Cirrus) hostRead(size int) uint64 {
	var x uint64
	for i := range size {
		x |= uint64(k.hostByte()) << (8 * i)
	}
	return x
}

// hostByte is the next byte of a blit to the host.
func (k *Cirrus) hostByte() uint8 {
	b := &k.blit
	if !b.toHost {
		return 0xff
	}
	x := b.line[b.have]
	if b.have++; b.have == b.pitch {
		b.have = 0
		if b.done++; b.done == b.height {
			k.end()
		} else {
			k.fetch()
		}
	}
	return x
}
