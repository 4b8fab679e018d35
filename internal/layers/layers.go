// Package layers is the table of which package may import which: DESIGN.md's
// layers. Its test checks the table against the imports there are.
package layers

import (
	"fmt"
	"path"
	"strings"
)

// Rule places packages in a layer.
type Rule struct {
	// Pattern is a package below rhea/internal ("dev/*", "ir"), or "." for the
	// module root, or "/x" for packages outside internal.
	Pattern string
	Layer   int
	// Family: packages of this pattern with the same first name may import
	// each other ("its own subtree").
	Family bool
}

// Layer numbers are DESIGN.md's times ten, so that a layer has room for an
// order of its own (contracts before what is made of them).
func rules() []Rule {
	return []Rule{
		{"bits", 0, false}, {"keys", 0, false}, {"softfloat", 0, true}, {"softfloat/*", 0, true}, {"decode", 0, true}, {"irq", 0, false}, {"prop", 0, false},
		{"trace", 0, false}, {"snap", 1, false}, {"vclock", 1, false},

		{"mem", 10, false}, {"ir", 10, false}, {"block", 10, false}, {"netdev", 10, false}, {"chardev", 10, false},
		{"display", 10, false}, {"audio", 10, false}, {"dev", 11, false}, {"guest", 11, false},

		{"jit/host", 19, false}, {"guest/*", 20, false}, {"jit/*", 20, false}, {"ir/*", 20, false},
		{"bus/*", 20, true}, {"firmware/*", 20, true}, {"block/*", 20, true}, {"netdev/*", 20, true}, {"chardev/*", 20, true},
		{"display/*", 20, true}, {"audio/*", 20, true},

		// The engine's contract is above the guest's; engines are above it.
		{"accel", 30, false}, {"accel/*", 31, false},
		{"dev/*", 30, false},

		{"board/*", 40, false},
		{"vm", 50, false}, {"user/*", 50, true},
		{"monitor/*", 60, false}, {"gdbstub", 60, false},

		// Within the uppermost layer: lists, the library, the applets, the
		// choice of the applet, the command.
		{"catalog", 70, false}, {".", 71, false}, {"app/*", 72, false}, {"app", 73, false}, {"/vmtest", 74, false}, {"/cmd/*", 75, false}, {"/tools/debian", 74, false}, {"/tools/*", 75, false},

		{"layers", 0, false}, {"build", 0, false},
	}
}

// never are imports that no layer rules out and DESIGN.md does.
func never() []struct{ from, to string } {
	return []struct{ from, to string }{
		{"guest", "jit"}, {"guest", "dev"}, {"guest", "accel"},
		{"jit", "guest"},
		{"dev", "guest"}, {"dev", "accel"},
		// Devices know the host by its contracts only.
		{"dev", "chardev"}, {"dev", "block"}, {"dev", "netdev"}, {"dev", "display"}, {"dev", "audio"},
	}
}

// exception is an import that is allowed although the table forbids it.
type exception struct{ from, to, reason string }

func exceptions() []exception {
	return []exception{
		{"dev/display/cirrus", "dev/display/vga", "the chip is a VGA and more"},
		{"dev/disk/piixide", "dev/disk/ide", "the PCI function holds two ATA channels"},
		{"dev/intc/ioapic", "dev/intc/lapic", "the APIC bus between them"},
		{"dev/net/*", "dev/net/eeprom93c46", "the serial EEPROM on several cards"},
		{"dev/input/i8042", "dev/input/ps2", "the controller's ports take PS/2 devices"},
		{"dev/audio/sb16", "dev/audio/opl2", "the card has a synthesizer"},
	}
}

const module = "rhea"

// short is an import path as the rules name it; ok is false outside the module.
func short(p string) (string, bool) {
	switch {
	case p == module:
		return ".", true
	case strings.HasPrefix(p, module+"/internal/"):
		return strings.TrimPrefix(p, module+"/internal/"), true
	case strings.HasPrefix(p, module+"/"):
		return strings.TrimPrefix(p, module), true
	}
	return "", false
}

// find returns the rule for a package.
func find(name string) (Rule, bool) {
	var best Rule
	for _, r := range rules() {
		base, deep := strings.CutSuffix(r.Pattern, "/*")
		if (r.Pattern == name || deep && strings.HasPrefix(name, base+"/")) && len(r.Pattern) > len(best.Pattern) {
			best = r
		}
	}
	return best, best.Pattern != ""
}

func family(name string) string {
	first, _, _ := strings.Cut(name, "/")
	return first
}

func matches(pattern, name string) bool {
	base, deep := strings.CutSuffix(pattern, "/*")
	return pattern == name || deep && strings.HasPrefix(name, base+"/")
}

// Check says why a package (by import path) must not import another; nil if
// it may.
func Check(from, to string) error {
	f, ok := short(from)
	if !ok {
		return fmt.Errorf("%s is not in the module", from)
	}
	t, ok := short(to)
	if !ok {
		return nil // the standard library and other modules: see CheckOutside
	}
	for _, e := range exceptions() {
		if matches(e.from, f) && matches(e.to, t) {
			return nil
		}
	}
	rf, ok := find(f)
	if !ok {
		return fmt.Errorf("%s is in no layer: add it to the table of internal/layers", f)
	}
	rt, ok := find(t)
	if !ok {
		return fmt.Errorf("%s is in no layer: add it to the table of internal/layers", t)
	}
	for _, n := range never() {
		// The contract of the same name is what everybody imports.
		if family(f) == n.from && family(t) == n.to && t != n.to && f != n.from {
			return fmt.Errorf("%s must never import %s", f, t)
		}
	}
	switch {
	case rf.Layer > rt.Layer:
		return nil
	case strings.HasPrefix(t, f+"/"), rf.Family && path.Clean(f) != t && family(f) == family(t) && rf.Layer == rt.Layer:
		return nil // its own subtree
	case rf.Layer == rt.Layer && rf.Layer < 20 && rf.Layer%10 == 0:
		return nil // contracts and core types know each other
	}
	return fmt.Errorf("%s (layer %d) imports %s (layer %d)", f, rf.Layer, t, rt.Layer)
}

// CheckOutside says why a package must not import one of another module.
func CheckOutside(from, to string) error {
	f, ok := short(from)
	r, known := find(f)
	if ok && known && r.Layer < 10 {
		return fmt.Errorf("%s imports %s: layer 0 has the standard library only", f, to)
	}
	return nil
}
