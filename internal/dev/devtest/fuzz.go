package devtest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"rhea/internal/snap"
)

// stir does n random things to the part.
func (b *Bench) stir(r *rand.Rand, n int) {
	var op [12]byte
	for range n {
		for i := range op {
			op[i] = byte(r.Uint32())
		}
		if r.IntN(4) != 0 {
			op[0] &= 0x3f // mostly register accesses
		}
		b.act(op)
	}
}

// act does one of the things that a guest or a neighbour can do.
func (b *Bench) act(op [12]byte) {
	v := binary.LittleEndian.Uint64(op[4:])
	size := 1 << (op[0] >> 1 & 3)
	if op[0]&0x18 != 0 {
		size = 1 // what most parts have
	}
	switch kind := op[0] >> 5; {
	case kind < 4 && len(b.wins) > 0:
		w := b.wins[int(op[1])%len(b.wins)]
		off := uint64(binary.LittleEndian.Uint16(op[2:])) % w.size
		switch {
		case w.io != nil && op[0]&1 != 0:
			w.io.Write(off, size, v)
		case w.io != nil:
			w.io.Read(off, size)
		case op[0]&1 != 0:
			b.Space.Write(w.base+off, size, v)
		default:
			b.Space.Read(w.base+off, size)
		}
	case kind == 4 || kind == 5:
		if names := b.inputNames(); len(names) > 0 {
			b.inputs[names[int(op[1])%len(names)]].Set(op[2]&1 != 0)
		}
	case kind == 6:
		if names := b.verbNames(); len(names) > 0 {
			args := make([]uint64, 4)
			for i := range args {
				args[i] = uint64(binary.LittleEndian.Uint16(op[4+2*i:]))
			}
			b.verbs[names[int(op[1])%len(names)]](args)
		}
	case kind == 7:
		b.Clock.Advance(int64(v % [...]uint64{1000, 100_000, 1_000_000, 10_000_000}[op[1]&3]))
	}
	b.runPosted()
}

// Fuzz lets the fuzzer be the guest and the neighbours of a part: any
// sequence of register accesses of all sizes, pin changes, script words and
// time. Nothing may panic, and whatever state is reached must save and load.
func Fuzz(f *testing.F, build Build) {
	r := rand.New(rand.NewPCG(1, 4))
	for range 4 {
		seed := make([]byte, 12*64)
		for i := range seed {
			seed[i] = byte(r.Uint32())
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := New(build, 1000)
		for n := 0; len(data) >= 12 && n < 4096; n++ {
			b.act([12]byte(data))
			data = data[12:]
		}
		b.Settle()
		tree := save(t, b)
		fresh := New(build, b.Clock.Now())
		if err := snap.LoadTree(fresh.dev, tree); err != nil {
			t.Fatalf("load of a saved state: %v", err)
		}
		fresh.Settle()
		if again := save(t, fresh); !reflect.DeepEqual(tree, again) {
			t.Fatalf("the state changes when saved and loaded:\n%s", diff(tree, again))
		}
	})
}

// diff lists the fields in which two trees differ.
func diff(a, b *snap.Tree) string {
	var s strings.Builder
	diffInto(&s, "", a, b)
	return s.String()
}

func diffInto(s *strings.Builder, path string, a, b *snap.Tree) {
	for i := range min(len(a.Fields), len(b.Fields)) {
		if !reflect.DeepEqual(a.Fields[i], b.Fields[i]) {
			fmt.Fprintf(s, "%s: %+v / %+v\n", path, a.Fields[i], b.Fields[i])
		}
	}
	for n, sub := range a.Subs {
		if b.Subs[n] != nil {
			diffInto(s, path+"/"+n, sub, b.Subs[n])
		}
	}
}
