package vga

import "math/bits"

// planar is the processor's way through sequencer and graphics controller.
type planar VGA

// spread[n] has FFh in each byte whose bit is set in n: a plane mask.
var spread = [16]uint32{
	0x00000000, 0x000000ff, 0x0000ff00, 0x0000ffff, 0x00ff0000, 0x00ff00ff, 0x00ffff00, 0x00ffffff,
	0xff000000, 0xff0000ff, 0xff00ff00, 0xff00ffff, 0xffff0000, 0xffff00ff, 0xffffff00, 0xffffffff,
}

// Read implements mem.MMIO.
func (p *planar) Read(off uint64, size int) uint64 {
	v := (*VGA)(p)
	var x uint64
	for i := range size {
		x |= uint64(v.read(uint32(off)+uint32(i))) << (8 * i)
	}
	return x
}

// Write implements mem.MMIO.
func (p *planar) Write(off uint64, size int, x uint64) {
	v := (*VGA)(p)
	for i := range size {
		v.write(uint32(off)+uint32(i), uint8(x>>(8*i)))
	}
}

// inWindow turns an offset from A0000h into one of the window that the
// graphics controller decodes (miscellaneous register, bits 3:2).
func (v *VGA) inWindow(a uint32) (uint32, bool) {
	if v.misc&miscRAM == 0 {
		return 0, false
	}
	switch v.gr[grMisc] >> 2 & 3 {
	case 0:
		return a, true
	case 1:
		return a, a < 0x10000
	case 2:
		return a - 0x10000, a >= 0x10000 && a < 0x18000
	}
	return a - 0x18000, a >= 0x18000
}

// linear reports whether DISPI makes memory linear, and where address a of
// the window is then.
func (v *VGA) linear(a uint32) (uint32, bool) {
	if v.enable&dispiEnabled == 0 || v.bpp == 4 {
		return 0, false
	}
	return (a&0xffff + uint32(v.bank)<<16) & (v.size - 1), true
}

// bankOffset is what the bank adds to a planar offset (DISPI's 4 bpp modes).
func (v *VGA) bankOffset() uint32 {
	if v.enable&dispiEnabled != 0 && v.bpp == 4 {
		return uint32(v.bank) << 16
	}
	return 0
}

func (v *VGA) read(a uint32) uint8 {
	if v.c.Chip != nil {
		if x, ok := v.c.Chip.Load(a); ok {
			return x
		}
	}
	if at, ok := v.linear(a); ok {
		return v.b[at]
	}
	a, ok := v.inWindow(a)
	if !ok {
		return 0xff
	}
	plane := uint32(v.gr[grReadMap])
	off := a & 0xffff
	switch {
	case v.sr[srMemMode]&8 != 0: // chain 4
		plane, off = a&3, off&^3
	case v.gr[grMode]&0x10 != 0: // odd/even
		plane, off = plane&2|a&1, off&^1
	}
	v.latch = v.load(v.cell(off + v.bankOffset()))
	if v.gr[grMode]&8 == 0 {
		return uint8(v.latch >> (8 * plane))
	}
	// Read mode 1: ones where all planes that matter have the colour.
	diff := (v.latch ^ spread[v.gr[grCompare]]) & spread[v.gr[grDontCare]]
	diff |= diff >> 16
	return ^uint8(diff | diff>>8)
}

func (v *VGA) write(a uint32, x uint8) {
	if v.c.Chip != nil && v.c.Chip.Store(a, x) {
		return
	}
	if at, ok := v.linear(a); ok {
		v.b[at] = x
		v.vram.Wrote(uint64(at), 1)
		return
	}
	a, ok := v.inWindow(a)
	if !ok {
		return
	}
	planes := v.sr[srMapMask]
	off := a & 0xffff
	switch {
	case v.sr[srMemMode]&8 != 0: // chain 4
		planes &= 1 << (a & 3)
		off &^= 3
	case v.sr[srMemMode]&4 == 0: // odd/even
		planes &= 5 << (a & 1)
		off &^= 1
	}
	if planes == 0 {
		return
	}
	if planes&4 != 0 {
		v.draw.fonts = true
	}
	cell := v.cell(off + v.bankOffset())
	keep := spread[planes&15]
	v.store(cell, v.load(cell)&^keep|v.data(x)&keep)
}

// data is what the graphics controller makes of a byte: four planes.
func (v *VGA) data(x uint8) uint32 {
	mask := v.gr[grBitMask]
	var d uint32
	switch v.gr[grMode] & 3 {
	case 1:
		return v.latch
	case 0:
		d = uint32(bits.RotateLeft8(x, -int(v.gr[grRotate]&7))) * 0x01010101
		sr := spread[v.gr[grEnableSR]]
		d = d&^sr | spread[v.gr[grSetReset]]&sr
	case 2:
		d = spread[x&15]
	case 3:
		mask &= bits.RotateLeft8(x, -int(v.gr[grRotate]&7))
		d = spread[v.gr[grSetReset]]
	}
	switch v.gr[grRotate] >> 3 & 3 {
	case 1:
		d &= v.latch
	case 2:
		d |= v.latch
	case 3:
		d ^= v.latch
	}
	m := uint32(mask) * 0x01010101
	return d&m | v.latch&^m
}

// mapWindow gives the processor memory itself at A0000h when the way through
// the controllers changes nothing: linear modes and mode 13h.
func (v *VGA) mapWindow() {
	off, ok := v.linear(0)
	own := true
	if v.c.Chip != nil {
		off, ok, own = v.c.Chip.Window()
	}
	if !ok && own {
		ok = v.misc&miscRAM != 0 && v.sr[srMemMode]&8 != 0 && v.sr[srMapMask] == 15 && v.gr[grMisc]&0x0c == 4 &&
			v.gr[grMode]&0x0b == 0 && v.gr[grEnableSR] == 0 && v.gr[grRotate] == 0 && v.gr[grBitMask] == 0xff
	}
	if uint64(off)+0x10000 > uint64(v.size) {
		ok = false
	}
	if ok {
		v.banked.SetOffset(uint64(off))
	}
	v.banked.Enable(ok)
	v.direct = ok
}
