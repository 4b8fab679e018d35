package cirrus

// In implements vga.Chip.
func (k *Cirrus) In(port uint64) (uint8, bool) {
	if port != 0x3c6 {
		k.dacReads = 0
	}
	switch port {
	case 0x3c4:
		return k.srx, true
	case 0x3c5:
		return k.readSR()
	case 0x3c6: // after four reads of the pixel mask the hidden register is there
		if k.dacReads == 4 {
			k.dacReads = 0
			return k.hiddenDAC, true
		}
		k.dacReads++
	case 0x3c9:
		if k.sr[srCursor]&cursorPal != 0 {
			return k.paletteNext(nil), true
		}
	case 0x3ce:
		return k.grx, true
	case 0x3cf:
		if k.grx < 2 || k.grx > 8 {
			if k.grx < grCount {
				return k.gr[k.grx], true
			}
			return 0xff, true
		}
	case 0x3b4, 0x3d4:
		return k.crx, true
	case 0x3b5, 0x3d5:
		if k.crx > 0x18 {
			if k.crx < crCount {
				return k.cr[k.crx], true
			}
			return 0xff, true
		}
	}
	return 0, false
}

func (k *Cirrus) readSR() (uint8, bool) {
	switch i := k.srx & 0x1f; {
	case i <= 4:
		return 0, false
	case i == srCurX:
		return uint8(k.curX >> 3), true
	case i == srCurY:
		return uint8(k.curY >> 3), true
	default:
		return k.sr[i], true
	}
}

// Out implements vga.Chip.
func (k *Cirrus) Out(port uint64, x uint8) bool {
	if port != 0x3c6 {
		defer func() { k.dacReads = 0 }()
	}
	switch port {
	case 0x3c4:
		k.srx = x
	case 0x3c5:
		return k.writeSR(x)
	case 0x3c6:
		hidden := k.dacReads == 4
		k.dacReads = 0
		if hidden {
			k.hiddenDAC = x
			k.vga.Changed()
		}
		return hidden
	case 0x3c7, 0x3c8:
		k.palIndex, k.palSub = x&15, 0
	case 0x3c9:
		if k.sr[srCursor]&cursorPal != 0 {
			k.paletteNext(&x)
			return true
		}
	case 0x3ce:
		k.grx = x & 0x3f
	case 0x3cf:
		return k.writeGR(k.grx, x)
	case 0x3b4, 0x3d4:
		k.crx = x & 0x3f
	case 0x3b5, 0x3d5:
		if k.crx > 0x18 {
			if k.crx < crID {
				k.cr[k.crx] = x
				k.vga.Changed()
			}
			return true
		}
	}
	return false
}

// paletteNext reads or writes the colours of the cursor: 0 and 15 of a palette
// of their own.
func (k *Cirrus) paletteNext(x *uint8) uint8 {
	i := 3*int(k.palIndex) + int(k.palSub)
	if x != nil {
		k.palette[i] = *x & 0x3f
	}
	if k.palSub++; k.palSub == 3 {
		k.palSub, k.palIndex = 0, (k.palIndex+1)&15
	}
	return k.palette[i]
}

func (k *Cirrus) writeSR(x uint8) bool {
	switch i := k.srx & 0x1f; {
	case i <= 4:
		return false
	case i == srUnlock:
		k.sr[i] = 0x0f
		if x&0x17 == 0x12 {
			k.sr[i] = 0x12
		}
	case i == srCurX: // the index has the low bits
		k.curX = uint16(x)<<3 | uint16(k.srx>>5)
	case i == srCurY:
		k.curY = uint16(x)<<3 | uint16(k.srx>>5)
	case i == srMode:
		k.sr[i] = x
		k.vga.Changed()
	case i == srConfig: // what bus it is cannot be changed
		k.sr[i] = k.sr[i]&0x38 | x&0xc7
		k.vga.Changed()
	default:
		k.sr[i] = x
	}
	return true
}

// writeGR writes a register of the graphics controller.
func (k *Cirrus) writeGR(i, x uint8) bool {
	switch {
	case i < 2: // colours, whose lower half is the VGA's
		k.gr[i] = x
		return false
	case i <= 8:
		k.gr[i] = x // the VGA's mode register has no write modes 4 and 5
		return false
	case i >= grCount:
		return true
	}
	switch i {
	case grBank0, grBank1, grModeExt:
		k.gr[i] = x
		k.vga.Changed()
	case 0x21, 0x25, 0x27:
		k.gr[i] = x & 0x1f
	case 0x23:
		k.gr[i] = x & 0x07
	case 0x2a:
		k.gr[i] = x & 0x3f
		if k.gr[bltStatus]&bltAutoStart != 0 {
			k.start()
		}
	case 0x2e:
		k.gr[i] = x & 0x3f
	case bltStatus:
		k.writeStatus(x)
	default:
		k.gr[i] = x
	}
	return true
}

// cursor is what the hardware cursor looks like.
type cursor struct {
	on, large bool
	x, y      int
	pattern   uint32 // in video memory
	bg, fg    uint32
}

func (k *Cirrus) cursor() cursor {
	up := func(i int) uint32 {
		p := k.palette[3*i:]
		wide := func(v uint8) uint32 { return uint32(v)<<2 | uint32(v)>>4 }
		return wide(p[0])<<16 | wide(p[1])<<8 | wide(p[2])
	}
	c := cursor{
		on: k.sr[srCursor]&cursorOn != 0, large: k.sr[srCursor]&cursorLarge != 0,
		x: int(k.curX), y: int(k.curY), bg: up(0), fg: up(15),
		// The patterns are in the last 16 KiB.
		pattern: k.vram - 16<<10 + uint32(k.sr[srCurPat]&0x3f)*256,
	}
	if c.large {
		c.pattern = k.vram - 16<<10 + uint32(k.sr[srCurPat]&0x3c)*256
	}
	return c
}

func (c *cursor) size() int {
	if c.large {
		return 64
	}
	return 32
}

// Stale implements vga.Chip: the lines of the cursor, where it was and where
// it is, if it has changed.
func (k *Cirrus) Stale(dirty func(off, n uint32) bool) (top, bottom int) {
	c := k.cursor()
	was := k.drawn
	k.drawn = c
	if c == was && !(c.on && dirty(c.pattern, 1024)) {
		return 0, 0
	}
	top, bottom = 1<<16, 0
	for _, c := range []cursor{was, c} {
		if c.on {
			top, bottom = min(top, c.y), max(bottom, c.y+c.size())
		}
	}
	if bottom == 0 {
		return 0, 0
	}
	return top, bottom
}

// Line implements vga.Chip: it draws the cursor. Two bits of a pixel say
// transparent, inverted, background or foreground.
func (k *Cirrus) Line(y int, pix []uint32) {
	c := &k.drawn
	row := y - c.y
	if !c.on || row < 0 || row >= c.size() {
		return
	}
	var a, b []byte // the two planes of the row
	if c.large {
		at := c.pattern + uint32(row)*16
		a, b = k.b[at:at+8], k.b[at+8:at+16]
	} else {
		at := c.pattern + uint32(row)*4
		a, b = k.b[at:at+4], k.b[at+128:at+132]
	}
	for i := range c.size() {
		x := c.x + i
		if x >= len(pix) {
			return
		}
		switch a[i/8]>>(7-i%8)&1 | b[i/8]>>(7-i%8)&1<<1 {
		case 1:
			pix[x] ^= 0xffffff
		case 2:
			pix[x] = c.bg
		case 3:
			pix[x] = c.fg
		}
	}
}
