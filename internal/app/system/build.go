package system

func run(env Env, cfg *Config) (int, error) { return 0, nil }
