//! The laws: what electricity does in the grid.
//!
//! Nothing stands here yet. This is the place of topology processing, admittances, AC power flow
//! and state estimation: pure numerics, without I/O, time or chance, on the contract's topology
//! types. Until then the field shares power out over its lines by itself (`sim`).
