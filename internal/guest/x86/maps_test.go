package x86

import "testing"

// TestEmitterGroups: each name has one emitter, wherever it is looked for first.
// Those of SSE are found again with AVX's.
func TestEmitterGroups(t *testing.T) {
	seen := map[string]int{}
	for i, g := range emitterGroups {
		for name := range g() {
			if j, ok := seen[name]; ok && j != groupOfText[3] {
				t.Errorf("%s is in the groups %d and %d", name, j, i)
			}
			seen[name] = i
		}
	}
}

// TestLines: every line of the maps is an encoding of one of them, with the
// opcode that it begins with, and there are no more lines than are found.
func TestLines(t *testing.T) {
	found := map[string]bool{}
	for _, m := range []*maps{theMaps, longMaps} {
		for table := range m.opcodes {
			for b := range 256 {
				for _, e := range m.encodings(table, byte(b)) {
					found[e.line] = true
				}
			}
		}
	}
	for _, l := range theLines().lines {
		if !found[l.line] {
			t.Errorf("%q is in no map", l.line)
		}
	}
	if n := len(theLines().features); n > 64 {
		t.Errorf("%d features do not fit in a word", n)
	}
}
