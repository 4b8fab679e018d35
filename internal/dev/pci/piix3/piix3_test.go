package piix3

import (
	"testing"

	"rhea/internal/bus/pci"
	"rhea/internal/dev"
	"rhea/internal/mem"
	"rhea/internal/snap"
)

type power struct{ resets int }

func (p *power) RequestReset(string)    { p.resets++ }
func (p *power) RequestPowerOff(string) {}
func (p *power) RequestExit(int)        {}

func TestRoutingAndReset(t *testing.T) {
	var lines [16]bool
	p := &power{}
	c := Config{Env: dev.Env{Power: p}}
	c.Bus = pci.New(pci.Config{Memory: mem.NewContainer("pci", 1<<32), IO: mem.NewContainer("io", 0x10000)})
	for i := range c.ISA {
		c.ISA[i] = func(l bool) { lines[i] = l }
	}
	b := New(c)
	card := func(slot int) *pci.Function {
		f := pci.NewFunction(pci.Header{Name: "card", Pin: 1})
		c.Bus.Plug(slot, 0, f)
		return f
	}
	x, y := card(3), card(4) // PIRQC, PIRQD
	x.SetIRQ(true)
	if lines != [16]bool{} {
		t.Fatalf("disabled route drives %v", lines)
	}
	c.Bus.WriteConfig(0, 8, pirqrc, 4, 0x0b0b0b0b)
	if lines != [16]bool{11: true} {
		t.Fatalf("lines %v", lines)
	}
	y.SetIRQ(true)
	x.SetIRQ(false)
	if !lines[11] {
		t.Error("shared line fell with the first device")
	}
	c.Bus.WriteConfig(0, 8, pirqrc+3, 1, 10)
	if lines != [16]bool{10: true} {
		t.Errorf("re-routed: %v", lines)
	}
	c.Bus.WriteConfig(0, 8, pirqrc+3, 1, 8) // reserved
	if lines != [16]bool{} {
		t.Errorf("reserved route drives %v", lines)
	}
	b.Write(0, 1, 2)
	b.Write(0, 1, 6)
	b.Write(0, 1, 6)
	if p.resets != 1 {
		t.Errorf("%d resets", p.resets)
	}
	tree, _ := snap.SaveTree(b)
	b.Reset()
	if err := snap.LoadTree(b, tree); err != nil || b.Route(0) != 11 {
		t.Errorf("load: %v, route %d", err, b.Route(0))
	}
}
