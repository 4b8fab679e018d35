package i8237

import (
	"bytes"
	"fmt"
	"testing"

	"rhea/internal/dev"
	"rhea/internal/dev/devtest"
	"rhea/internal/mem"
)

// peer takes and gives at most limit bytes a time.
type peer struct {
	ch    *Channel
	limit int
	got   []byte
	next  byte
	tcs   int
}

func (p *peer) DMARead(b []byte, tc bool) int {
	n := min(len(b), p.limit)
	p.got = append(p.got, b[:n]...)
	if len(p.got) > 1<<16 {
		p.got = nil
	}
	p.done(n, len(b), tc)
	return n
}

func (p *peer) DMAWrite(b []byte, tc bool) int {
	n := min(len(b), p.limit)
	for i := range n {
		b[i] = p.next
		p.next++
	}
	p.done(n, len(b), tc)
	return n
}

func (p *peer) done(n, all int, tc bool) {
	if p.limit -= n; p.limit == 0 || tc && n == all {
		p.ch.Request(false)
	}
	if tc && n == all {
		p.tcs++
	}
}

func build(b *devtest.Bench) dev.Device {
	root := mem.NewContainer("memory", 0)
	ram := mem.NewRAM("ram", 1<<20)
	root.Add(0, ram)
	root.Add(0x12000000, mem.NewAlias("high", ram, 0, 1<<20))
	for i := range ram.RAM().Bytes {
		ram.RAM().Bytes[i] = byte(i) ^ byte(i>>8)
	}
	post := 0
	d := New(Config{Env: b.Env(), Memory: mem.NewSpace("memory", root, nil), POST: func(v uint8) { post = int(v) }})
	low, word, pages, high := d.Regions()
	b.Map(0, low)
	b.Map(0xc0, word)
	b.Map(0x80, pages)
	b.Map(0x480, high)
	var peers [8]*peer
	for n := range peers {
		if n == 4 {
			continue
		}
		p := &peer{ch: d.Channel(n)}
		peers[n] = p
		p.ch.Attach(p)
	}
	get := func(n uint64) *peer {
		if n %= 8; n == 4 {
			n = 5
		}
		return peers[n]
	}
	b.Verb("post", func([]uint64) uint64 { return uint64(post) })
	// req n bytes: the device has or wants so many.
	b.Verb("req", func(a []uint64) uint64 {
		p := get(a[0])
		p.limit = int(a[1] & 0xfff)
		p.ch.Request(p.limit > 0)
		return 0
	})
	b.Verb("tcs", func(a []uint64) uint64 { return uint64(get(a[0]).tcs) })
	b.Verb("got", func(a []uint64) uint64 { // length<<16 | first<<8 | last
		p := get(a[0])
		if len(p.got) == 0 {
			return 0
		}
		v := uint64(len(p.got))<<16 | uint64(p.got[0])<<8 | uint64(p.got[len(p.got)-1])
		p.got = nil
		return v
	})
	b.Verb("mem", func(a []uint64) uint64 { return uint64(ram.RAM().Bytes[a[0]&0xfffff]) })
	return d
}

// plain has devices without state: each request is for up to 300 bytes.
type plain struct{ ch *Channel }

func (p plain) DMARead(b []byte, _ bool) int { p.ch.Request(false); return min(len(b), 300) }
func (p plain) DMAWrite(b []byte, _ bool) int {
	p.ch.Request(false)
	clear(b)
	return min(len(b), 300)
}

func buildPlain(b *devtest.Bench) dev.Device {
	root := mem.NewContainer("memory", 0)
	root.Add(0, mem.NewRAM("ram", 1<<16))
	d := New(Config{Env: b.Env(), Memory: mem.NewSpace("memory", root, nil)})
	low, word, pages, high := d.Regions()
	b.Map(0, low)
	b.Map(0xc0, word)
	b.Map(0x80, pages)
	b.Map(0x480, high)
	for _, n := range []int{0, 1, 2, 3, 5, 6, 7} {
		p := plain{d.Channel(n)}
		p.ch.Attach(p)
		b.In(fmt.Sprint("dreq", n), p.ch.Request)
	}
	return d
}

func TestConform(t *testing.T) { devtest.Conform(t, buildPlain) }
func FuzzDMA(f *testing.F)     { devtest.Fuzz(f, buildPlain) }

const cascade = `w1 0xd6 0xc0 / w1 0xd4 0
`

func TestScripts(t *testing.T) {
	for name, script := range map[string]string{
		"registers": `
			w1 0xc 0 / w1 2 0x34 / w1 2 0x12 / w1 3 0x78 / w1 3 0x56
			r1 2 = 0x34 / r1 2 = 0x12 / r1 3 = 0x78 / r1 3 = 0x56 / w1 2 1 / w1 0xc 0 / r1 2 = 1
			r1 0xf = 0xff / w1 0xa 2 / r1 0xf = 0xfb / w1 0xe 0 / r1 0xf = 0xf0 / w1 0xd 0 / r1 0xf = 0xff
			w1 0x80 0x55 / post = 0x55 / r1 0x80 = 0x55 / w1 0x83 7 / w1 0x483 9 / r1 0x83 = 7 / r1 0x483 = 9
			w1 0x83 7 / r1 0x483 = 0 / w1 0x84 1 / r1 0x84 = 1 / r1 0x484 = 0xff`,
		"read, then TC masks": cascade + `
			w1 0xc 0 / w1 4 0 / w1 4 0x10 / w1 5 0xff / w1 5 0x01 / w1 0x81 1 / w1 0xb 0x4a / w1 0xa 2
			req 2 0x100 / got 2 = 0x010010ef / r1 8 = 0 / tcs 2 = 0
			req 2 0x300 / got 2 = 0x010011ee / tcs 2 = 1 / r1 8 = 4 / r1 8 = 0 / r1 0xf = 0xff
			r1 5 = 0xff / r1 5 = 0xff / req 2 16 / got 2 = 0`,
		"the cascade must be open": `
			w1 0xb 0x4a / w1 0xa 2 / w1 5 9 / w1 5 0 / req 2 4 / got 2 = 0 / r1 8 = 0x40
			w1 0xd6 0xc0 / got 2 = 0 / w1 0xd4 0 / w1 0xb 0x4a / got 2 = 0x040003`,
		"write": cascade + `
			w1 4 0 / w1 4 0x20 / w1 5 9 / w1 5 0 / w1 0x81 0 / w1 0xb 0x46 / w1 0xa 2
			mem 0x2001 = 0x21 / req 2 10 / mem 0x2000 = 0 / mem 0x2001 = 1 / mem 0x2009 = 9 / mem 0x200a = 0x2a / tcs 2 = 1`,
		"write downwards": cascade + `
			w1 4 0x09 / w1 4 0x20 / w1 5 9 / w1 5 0 / w1 0xb 0x66 / w1 0xa 2
			req 2 4 / mem 0x2009 = 0 / mem 0x2006 = 3 / mem 0x2005 = 0x25 / req 2 6 / mem 0x2000 = 9 / tcs 2 = 1`,
		"verify": cascade + `
			w1 4 0 / w1 4 0x20 / w1 5 9 / w1 5 0 / w1 0xb 0x42 / w1 0xa 2 / req 2 10 / mem 0x2001 = 0x21 / tcs 2 = 1`,
		"autoinit": cascade + `
			w1 4 0 / w1 4 0x20 / w1 5 3 / w1 5 0 / w1 0xb 0x5a / w1 0xa 2
			req 2 4 / got 2 = 0x042023 / tcs 2 = 1 / r1 0xf = 0xfb / r1 8 = 4 / r1 4 = 0 / r1 4 = 0x20 / r1 5 = 3 / r1 5 = 0
			req 2 4 / got 2 = 0x042023`,
		"words": cascade + `
			w1 0xc4 0x00 / w1 0xc4 0x08 / w1 0xc6 7 / w1 0xc6 0 / w1 0x8b 3 / w1 0xd6 0x49 / w1 0xd4 1
			req 5 7 / got 5 = 0x071016 / req 5 100 / got 5 = 0x0a161f / tcs 5 = 1 / r1 0xd0 = 2`,
		"high page": cascade + `
			w1 4 5 / w1 4 0 / w1 5 3 / w1 5 0 / w1 0x81 0 / w1 0x481 0x12 / w1 0xb 0x4a / w1 0xa 2 / req 2 4 / got 2 = 0x040508`,
		"the page does not count on": cascade + `
			w1 4 0xfe / w1 4 0xff / w1 5 3 / w1 5 0 / w1 0x81 1 / w1 0xb 0x4a / w1 0xa 2
			req 2 2 / got 2 = 0x020100 / req 2 2 / got 2 = 0x020001`,
		"disabled": cascade + `w1 8 4 / w1 0xb 0x4a / w1 0xa 2 / w1 5 3 / w1 5 0 / req 2 4 / got 2 = 0 / w1 8 0 / got 2 = 0x040003`,
		"memory to memory": cascade + `
			w1 0 0 / w1 0 0x30 / w1 2 0 / w1 2 0x40 / w1 3 0x0f / w1 3 0 / w1 0xb 0x88 / w1 0xb 0x85 / w1 8 1
			w1 9 4 / mem 0x4000 = 0x30 / mem 0x400f = 0x3f / mem 0x4010 = 0x50 / r1 8 = 2 / r1 0xd = 0x3f
			w1 2 0 / w1 2 0x50 / w1 3 3 / w1 3 0 / w1 0 7 / w1 0 0x30 / w1 8 3 / w1 9 4 / mem 0x5000 = 0x37 / mem 0x5003 = 0x37`,
		"illegal type": cascade + `w1 0xb 0x4e / w1 0xa 2 / req 2 4 / log = "illegal transfer type"`,
	} {
		t.Run(name, func(t *testing.T) { devtest.Run(t, build, script) })
	}
}

// A device that never tires leaves the machine its turn.
type tireless struct{ n int }

func (p *tireless) DMARead(b []byte, _ bool) int  { p.n += len(b); return len(b) }
func (p *tireless) DMAWrite(b []byte, _ bool) int { p.n += len(b); return len(b) }

func TestBudget(t *testing.T) {
	b := devtest.New(build, 0)
	d := b.Dev().(*DMA)
	p := &tireless{}
	d.Channel(1).Attach(p)
	b.Script(t, cascade+`w1 3 0xff / w1 3 0xff / w1 0xb 0x59 / w1 0xa 1`)
	d.Channel(1).Request(true)
	if p.n < budget || p.n > budget+chunk {
		t.Errorf("one request moved %d bytes", p.n)
	}
	b.Clock.Advance(pause)
	if p.n < 2*budget {
		t.Errorf("the rest did not come: %d", p.n)
	}
}

func TestReverse(t *testing.T) {
	for _, c := range []struct {
		in, out string
		w       int
	}{{"abcd", "dcba", 1}, {"abc", "cba", 1}, {"aabbcc", "ccbbaa", 2}, {"", "", 1}} {
		p := []byte(c.in)
		reverse(p, c.w)
		if !bytes.Equal(p, []byte(c.out)) {
			t.Error(fmt.Sprint(c, string(p)))
		}
	}
}
