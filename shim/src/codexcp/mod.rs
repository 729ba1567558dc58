//! The admin command. stdout carries data, stderr words; exit codes say how it went (README).
