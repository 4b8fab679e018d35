package x86

import "rhea/internal/guest"

const mmxMap = ``

func addMMXEmitters(m map[string]emitter) {}

func (c *CPU) mmxHelpers(h []guest.Helper) {}
