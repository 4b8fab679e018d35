package ir

import "testing"

// The printed forms of Vec and FPU parse to themselves.
func TestVectorText(t *testing.T) {
	s := &Slots{}
	s.Info[2] = SlotInfo{Name: "x", Type: V128}
	s.Info[4] = SlotInfo{Name: "y", Type: V128}
	const text = `block0:
	v1 = const i64 0x5
	vec PADDB:h3:x:y:0x0, v1
	vec PSHUFD:h3:x:x:0x1b, v1
	vec PAND:h4:x:y:0x0:n, v1
	v5 = vec i64 UCOMISD:h5:x:y:0x0, v1
	fpu 0xc1:h6, v1
	fpu 0x500:h6:load:8:y, v1
	fpu 0x738:h6:store:10:x, v1
	fpu 0x3c9:h6:cond, v1, v5
	exit v5
`
	u, err := Parse(text, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := u.String(); got != text {
		t.Errorf("got\n%s", got)
	}
	for _, bad := range []string{"vec PADDX:h3:x:y:0, v1", "vec PADDB:h3:x:z:0, v1", "vec PADDB:h3:x:y:300, v1", "vec UCOMISD:h3:x:y:0, v1", "fpu 0x800:h1, v1", "fpu 0x500:h1:load:8, v1"} {
		if _, err := Parse("block0:\n v1 = const i64 5\n "+bad+"\n exit v1\n", s); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	u.CallVectors(func(v Vector) bool { return v.Kind.String() == "PADDB" })
	u.CallStackOps(nil)
	n := 0
	for i := range u.Insts {
		if in := &u.Insts[i]; in.Op == Call {
			n++
		}
	}
	if n != 7 || u.Insts[1].Op != Vec {
		t.Errorf("%d calls:\n%s", n, u)
	}
}
