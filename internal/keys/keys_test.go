package keys

import "testing"

func TestTable(t *testing.T) {
	names := make(map[string]bool)
	set1, set2 := make(map[uint16]string), make(map[uint16]string)
	for _, c := range All() {
		k := Get(c)
		if names[k.Name] {
			t.Errorf("%s is there twice", k.Name)
		}
		names[k.Name] = true
		if o := set1[k.Set1]; o != "" {
			t.Errorf("%s and %s have set 1 code %#x", o, k.Name, k.Set1)
		}
		set1[k.Set1] = k.Name
		if o := set2[k.Set2]; o != "" {
			t.Errorf("%s and %s have set 2 code %#x", o, k.Name, k.Set2)
		}
		set2[k.Set2] = k.Name
		if k.Set1>>8 != k.Set2>>8 {
			t.Errorf("%s: one set has a prefix, the other not", k.Name)
		}
		if got, ok := ByName(k.Name); !ok || got != c {
			t.Errorf("ByName(%q) = %v, %v", k.Name, got, ok)
		}
		if got, ok := BySet1(k.Set1); !ok || got != c {
			t.Errorf("BySet1(%#x) = %v, %v", k.Set1, got, ok)
		}
	}
	for code, name := range map[Code]string{Print: "print", Pause: "pause"} {
		if code.Name() != name {
			t.Errorf("code %d is %s, want %s", code, code.Name(), name)
		}
	}
	if _, ok := ByName("nonsense"); ok || Get(0).Name != "" || Get(255).Name != "" {
		t.Error("there are keys that are none")
	}
	for _, n := range []string{"a", "ret", "ctrl", "alt", "f1", "kp_0", "spc", "asterisk", "compose", "shift_r"} {
		if _, ok := ByName(n); !ok {
			t.Errorf("no key %s", n)
		}
	}
}
