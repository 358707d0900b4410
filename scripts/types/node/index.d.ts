// Stands in for @types/node while the pure folders are checked (tsconfig.pure.json), and is empty on purpose: if a
// dependency's declarations ask for Node's types, they get these.
export {};
