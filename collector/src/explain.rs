//! What the bytes of an exchange, and the address of a point, mean: told to people by the source that asked. Nobody else
//! knows.

use config::{Entry, Lang, Register, RegisterTable};
use signal::update::Evidence;

use super::poll::Exchange;

/// Name of an exception of the Modbus application protocol, section 7.
pub fn exception_name(code: u8, lang: Lang) -> &'static str {
    let (vi, en) = match code {
        1 => ("hàm không hỗ trợ", "illegal function"),
        2 => ("sai địa chỉ", "illegal address"),
        3 => ("sai giá trị", "illegal value"),
        4 => ("thiết bị hỏng", "device failure"),
        5 => ("đã nhận, đang làm", "acknowledged"),
        6 => ("thiết bị bận", "device busy"),
        8 => ("lỗi bộ nhớ", "memory parity"),
        10 => ("gateway không có đường", "no gateway path"),
        11 => ("thiết bị sau gateway im lặng", "gateway target silent"),
        _ => ("mã không chuẩn", "code not standard"),
    };
    if lang == Lang::Vi { vi } else { en }
}

/// An exception: `ngoại lệ 0B thiết bị sau gateway im lặng`.
pub fn exception(code: u8, lang: Lang) -> String {
    let word = if lang == Lang::Vi { "ngoại lệ" } else { "exception" };
    format!("{word} {code:02X} {}", exception_name(code, lang))
}

/// Where a point stands, in both ways of counting: `30101` as in documents, 100 as on the wire; `None` when it is not
/// mapped.
pub fn address(entry: &Entry, lang: Lang) -> Option<String> {
    let register = entry.register.as_ref()?;
    let (vi, en) = match register.table {
        RegisterTable::Coil => ("bit lệnh", "coil"),
        RegisterTable::Discrete => ("đầu vào số", "discrete input"),
        RegisterTable::Holding => ("thanh ghi giữ", "holding register"),
        RegisterTable::Input => ("thanh ghi vào", "input register"),
    };
    let (table, wire) = if lang == Lang::Vi { (vi, "địa chỉ") } else { (en, "wire") };
    let (number, Register { address, encoding, .. }) = (document_number(register), register);
    Some(format!("{table} {number} ({wire} {address}) {encoding}"))
}

/// The same for a narrow column: `u2 10161`.
pub fn short_address(entry: &Entry) -> Option<String> {
    let register = entry.register.as_ref()?;
    Some(format!("u{} {}", register.unit, document_number(register)))
}

/// As in documents: the digit of the table, and the address from 1 on. Five digits as long as four suffice for the
/// address, else six.
fn document_number(register: &Register) -> String {
    let first = match register.table {
        RegisterTable::Coil => '0',
        RegisterTable::Discrete => '1',
        RegisterTable::Holding => '4',
        RegisterTable::Input => '3',
    };
    let number = u32::from(register.address) + 1;
    if number <= 9_999 { format!("{first}{number:04}") } else { format!("{first}{number:05}") }
}

/// The value of a point as it came: the bits, or the registers as hexadecimal numbers, and what they count, where they
/// count at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// As it stood in the reply: `01`, `0x04ED`, `0x0001 86A0 ABCD`.
    pub cells: String,
    /// The number of one register, before any scale.
    pub count: Option<i32>,
}

/// The cells of a point's value in what was received; `None` when they are not in it.
pub fn raw(evidence: &Evidence, entry: &Entry) -> Option<Raw> {
    let register = entry.register.as_ref()?;
    let [.., address_high, address_low, count_high, count_low] = *evidence.sent else {
        return None;
    };
    let address = u16::from_be_bytes([address_high, address_low]);
    let count = u16::from_be_bytes([count_high, count_low]);
    let bits = register.table.is_bits();
    let exchange = Exchange { reply: evidence.received.clone(), ..Exchange::default() };
    let mut cells = Vec::new();
    exchange.read_cells(usize::from(count), bits, &mut cells);
    let from = usize::from(register.address.checked_sub(address)?);
    let cells = cells.get(from..from + usize::from(register.encoding.cells()))?;
    if bits {
        return Some(Raw { cells: cells.iter().map(u16::to_string).collect(), count: None });
    }
    let hex: Vec<String> = cells.iter().map(|cell| format!("{cell:04X}")).collect();
    let hex = format!("0x{}", hex.join(" "));
    Some(match cells {
        [cell] => {
            let signed = matches!(register.encoding, config::Encoding::A16 { .. });
            let count = if signed { i32::from(cell.cast_signed()) } else { i32::from(*cell) };
            Raw { cells: hex, count: Some(count) }
        }
        _ => Raw { cells: format!("{hex} {}", register.word_order.code()), count: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{Encoding, WordOrder};

    #[test]
    fn addresses_are_numbered_as_in_documents() {
        let register = |table, address| Register {
            unit: 1,
            table,
            address,
            encoding: Encoding::C32,
            word_order: WordOrder::Abcd,
            quality: None,
        };
        let number = |table, address| document_number(&register(table, address));
        assert_eq!(number(RegisterTable::Input, 100), "30101");
        assert_eq!(number(RegisterTable::Discrete, 9_998), "19999");
        assert_eq!(number(RegisterTable::Input, 9_999), "310000");
        assert_eq!(number(RegisterTable::Holding, u16::MAX), "465536");
    }
}
