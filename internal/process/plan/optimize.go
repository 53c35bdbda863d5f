package plan

func optimize(n Node, opt Options) Node { return n }
