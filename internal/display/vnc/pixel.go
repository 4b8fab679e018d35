package vnc

import (
	"encoding/binary"
	"errors"
)

// format is a client's PIXEL_FORMAT (RFC 6143, 7.4).
type format struct {
	bpp, depth uint8 // bits
	big        bool
	max        [3]uint16 // red, green, blue
	shift      [3]uint8
	mapped     bool // the client has a colour map
}

// native is what the picture is in.
func native() format {
	return format{bpp: 32, depth: 24, max: [3]uint16{255, 255, 255}, shift: [3]uint8{16, 8, 0}}
}

// colourMap is what clients with a colour map get: three bits of red and
// green, two of blue.
func colourMap() format {
	return format{bpp: 8, depth: 8, max: [3]uint16{7, 7, 3}, shift: [3]uint8{0, 3, 6}, mapped: true}
}

// append appends the format as it is sent.
func (f format) append(b []byte) []byte {
	b = append(b, f.bpp, f.depth, bit(f.big), bit(!f.mapped))
	for _, m := range f.max {
		b = binary.BigEndian.AppendUint16(b, m)
	}
	return append(b, f.shift[0], f.shift[1], f.shift[2], 0, 0, 0)
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// parseFormat reads the 16 bytes of a client's format and refuses what no
// pixel can be made of.
func parseFormat(b []byte) (format, error) {
	f := format{bpp: b[0], depth: b[1], big: b[2] != 0}
	for i := range f.max {
		f.max[i] = binary.BigEndian.Uint16(b[4+2*i:])
		f.shift[i] = b[10+i]
	}
	if f.bpp != 8 && f.bpp != 16 && f.bpp != 32 {
		return f, errors.New("vnc: pixels of that size do not exist")
	}
	if b[3] == 0 {
		if f.bpp != 8 {
			return f, errors.New("vnc: a colour map goes with 8 bits a pixel")
		}
		return colourMap(), nil
	}
	for i := range f.max {
		if f.max[i] == 0 || f.max[i]&(f.max[i]+1) != 0 || f.shift[i] >= f.bpp || uint64(f.max[i])<<f.shift[i]>>f.bpp != 0 {
			return f, errors.New("vnc: that pixel format makes no sense")
		}
	}
	return f, nil
}

// pixels turns 0x00RRGGBB into a client's pixels.
type pixels struct {
	format
	size    int  // bytes of a pixel
	same    bool // they are what the picture has
	table   [3][256]uint32
	compact int  // bytes of ZRLE's CPIXEL
	high    bool // and which ones of four
	rgb     bool // Tight's TPIXEL is three bytes
}

func newPixels(f format) *pixels {
	p := &pixels{format: f, size: int(f.bpp / 8), compact: int(f.bpp / 8)}
	n := native()
	p.same = f.bpp == 32 && !f.big && f.max == n.max && f.shift == n.shift
	for i := range p.table {
		for v := range p.table[i] {
			p.table[i][v] = uint32(v) * uint32(f.max[i]) / 255 << f.shift[i]
			if f.max[i] < 255 { // the upper bits, so that all levels are as wide
				p.table[i][v] = uint32(v) * (uint32(f.max[i]) + 1) >> 8 << f.shift[i]
			}
		}
	}
	if f.bpp == 32 && f.depth <= 24 {
		low, high := true, true
		for i := range f.max {
			low = low && uint64(f.max[i])<<f.shift[i] < 1<<24
			high = high && f.shift[i] >= 8
		}
		if low || high {
			p.compact, p.high = 3, !low
		}
		p.rgb = f.depth == 24 && f.max == n.max
	}
	return p
}

// value is a pixel's number.
func (p *pixels) value(x uint32) uint32 {
	if p.same {
		return x
	}
	return p.table[0][x>>16&0xff] | p.table[1][x>>8&0xff] | p.table[2][x&0xff]
}

// append appends a pixel.
func (p *pixels) append(b []byte, x uint32) []byte {
	v := p.value(x)
	switch {
	case p.size == 1:
		return append(b, byte(v))
	case p.size == 2 && p.big:
		return binary.BigEndian.AppendUint16(b, uint16(v))
	case p.size == 2:
		return binary.LittleEndian.AppendUint16(b, uint16(v))
	case p.big:
		return binary.BigEndian.AppendUint32(b, v)
	}
	return binary.LittleEndian.AppendUint32(b, v)
}

// appendAll appends a line of pixels.
func (p *pixels) appendAll(b []byte, line []uint32) []byte {
	n := len(b)
	b = append(b, make([]byte, len(line)*p.size)...)
	out := b[n:]
	switch {
	case p.same:
		for i, x := range line {
			binary.LittleEndian.PutUint32(out[4*i:], x)
		}
	case p.size == 1:
		for i, x := range line {
			out[i] = byte(p.value(x))
		}
	default:
		out = out[:0]
		for _, x := range line {
			out = p.append(out, x)
		}
	}
	return b
}

// appendCompact appends a CPIXEL (RFC 6143, 7.7.5).
func (p *pixels) appendCompact(b []byte, x uint32) []byte {
	if p.compact != 3 {
		return p.append(b, x)
	}
	v := p.value(x)
	if p.high {
		v >>= 8
	}
	if p.big {
		return append(b, byte(v>>16), byte(v>>8), byte(v))
	}
	return append(b, byte(v), byte(v>>8), byte(v>>16))
}

// appendTight appends a TPIXEL (rfbproto, "Tight Encoding").
func (p *pixels) appendTight(b []byte, x uint32) []byte {
	if !p.rgb {
		return p.append(b, x)
	}
	return append(b, byte(x>>16), byte(x>>8), byte(x))
}
