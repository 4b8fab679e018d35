package fwcfg

import "encoding/binary"

// chunk bounds the memory that one step of a transfer needs.
const chunk = 64 << 10

type dmaPorts struct{ d *Device }

// Read returns bytes of the signature, most significant first.
func (p dmaPorts) Read(off uint64, size int) uint64 {
	if p.d.c.DMA == nil {
		return ^uint64(0)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], signature)
	var v uint64
	for i := range uint64(size) {
		v |= uint64(b[(off+i)&7]) << (8 * i)
	}
	return v
}

// Write sets the big-endian address of a request; its lower half starts it.
func (p dmaPorts) Write(off uint64, size int, v uint64) {
	d := p.d
	if d.c.DMA == nil {
		return
	}
	be := func(v uint64, size int) uint64 {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], v)
		return binary.BigEndian.Uint64(b[:]) >> (64 - 8*size)
	}
	switch {
	case off == 0 && size == 8:
		d.dmaAddr = be(v, 8)
		d.transfer()
	case off == 0 && size == 4:
		d.dmaAddr = be(v, 4)<<32 | d.dmaAddr&0xffffffff
	case off == 4 && size == 4:
		d.dmaAddr = d.dmaAddr&^0xffffffff | be(v, 4)
		d.transfer()
	default:
		d.c.Env.Log.Guest("fwcfg: write of %d bytes at +%d of the DMA address", size, off)
	}
}

// transfer carries out the request at dmaAddr: control, length, address, all
// big-endian.
func (d *Device) transfer() {
	at := d.dmaAddr
	d.dmaAddr = 0
	if d.inDMA {
		d.c.Env.Log.Guest("fwcfg: DMA to the DMA register")
		return
	}
	d.inDMA = true
	defer func() { d.inDMA = false }()

	var req [16]byte
	d.c.DMA.ReadBytes(at, req[:])
	control := binary.BigEndian.Uint32(req[0:])
	length := binary.BigEndian.Uint32(req[4:])
	addr := binary.BigEndian.Uint64(req[8:])
	if control&dmaSelect != 0 {
		d.sel(uint16(control >> 16))
	}
	result := uint32(0)
	switch {
	case control&dmaRead != 0:
		if !d.dmaRead(addr, length) {
			result = dmaError
		}
	case control&dmaWrite != 0:
		if !d.dmaWrite(addr, length) {
			result = dmaError
		}
	case control&dmaSkip != 0:
		d.skip(length)
	}
	binary.BigEndian.PutUint32(req[:4], result)
	d.c.DMA.WriteBytes(at, req[:4])
}

// dmaRead copies the item to memory, zeroes after its end. A guest can ask
// for 4 GiB of zeroes: no more is written than there can be memory for. It
// reports false if the item could not be read.
func (d *Device) dmaRead(addr uint64, length uint32) bool {
	const maxZeroes = 1 << 20
	e, rest := d.selected()
	n := min(rest, uint64(length))
	var err error
	if n > 0 && e.src == nil {
		d.c.DMA.WriteBytes(addr, e.data[d.offset:][:n])
	} else if n > 0 {
		err = d.copySource(e, addr, n)
	}
	if rest := uint64(length) - n; rest > 0 {
		if rest > maxZeroes {
			d.c.Env.Log.Guest("fwcfg: DMA reads %d bytes beyond the item", rest)
			rest = maxZeroes
		}
		var zero [4096]byte
		for at := addr + n; rest > 0; {
			k := min(rest, uint64(len(zero)))
			d.c.DMA.WriteBytes(at, zero[:k])
			at, rest = at+k, rest-k
		}
	}
	d.skip(length)
	if err != nil {
		d.c.Env.Log.Guest("fwcfg: item %#x cannot be read: %v", d.selector, err)
	}
	return err == nil
}

// copySource copies n bytes of an item of AddSource, from the offset on, to
// memory.
func (d *Device) copySource(e *entry, addr, n uint64) error {
	buf := make([]byte, min(n, chunk))
	for at := uint64(0); at < n; {
		p := buf[:min(n-at, uint64(len(buf)))]
		if err := d.load(e, uint64(d.offset)+at, p); err != nil {
			return err
		}
		d.c.DMA.WriteBytes(addr+at, p)
		at += uint64(len(p))
	}
	return nil
}

// dmaWrite stores to a writable item, never beyond its end.
func (d *Device) dmaWrite(addr uint64, length uint32) bool {
	e, rest := d.selected()
	if e == nil || e.write == nil || uint64(length) > rest {
		d.c.Env.Log.Guest("fwcfg: DMA write of %d bytes to item %#x is refused", length, d.selector)
		return false
	}
	for b, done := e.data[d.offset:], uint32(0); done < length; {
		n := min(length-done, chunk)
		d.c.DMA.ReadBytes(addr+uint64(done), b[done:done+n])
		done += n
	}
	d.skip(length)
	e.write(e.data)
	return true
}
