package tcg_test

func (r *rig) loadFP(v *vector386) {}

func (r *rig) checkFP(v *vector386) string { return "" }
