package smbios

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestTables(t *testing.T) {
	in := &Info{CPUs: 1, RAM: 20 << 30, RAMBelow: 3 << 30, CPUModel: "486", Serial: "42",
		UUID: [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}
	tab, anchor := in.Build()
	want := map[byte]byte{0: 24, 1: 27, 3: 22, 4: 42, 16: 23, 17: 40, 19: 31, 32: 11, 127: 4} // lengths of version 2.8
	seen := map[byte]int{}
	count, longest := 0, 0
	for b := tab; len(b) > 0; count++ {
		typ, n := b[0], int(b[1])
		if want[typ] != byte(n) {
			t.Errorf("type %d has %d bytes, want %d", typ, n, want[typ])
		}
		end := bytes.Index(b[n:], []byte{0, 0}) + n + 2
		if typ == 1 && (!bytes.Contains(b[n:end], []byte("42\x00")) || !bytes.Equal(b[8:16], []byte{3, 2, 1, 0, 5, 4, 7, 6})) {
			t.Errorf("system % x", b[:end])
		}
		seen[typ]++
		longest = max(longest, end)
		b = b[end:]
	}
	for typ := range want {
		if seen[typ] == 0 {
			t.Errorf("no type %d", typ)
		}
	}
	if seen[17] != 2 || seen[19] != 2 {
		t.Errorf("%d modules, %d mappings", seen[17], seen[19])
	}
	le := binary.LittleEndian
	if len(anchor) != 31 || string(anchor[:4]) != "_SM_" || int(le.Uint16(anchor[22:])) != len(tab) ||
		int(le.Uint16(anchor[28:])) != count || int(le.Uint16(anchor[8:])) != longest {
		t.Errorf("anchor % x", anchor)
	}
	var sum, dmi byte
	for i, v := range anchor {
		sum += v
		if i >= 16 {
			dmi += v
		}
	}
	if sum != 0 || dmi != 0 {
		t.Errorf("sums %d %d", sum, dmi)
	}
}
