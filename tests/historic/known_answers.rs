//! Known answers: DES and triple DES as NIST published them, through the crate and through this
//! module's own chaining.

use halfkey::historic::configuration::{self, Instruction, Instructions};
use halfkey::historic::session::{Challenge, claims, description};
use halfkey::historic::{Cipher, Des, Key, TdesEde2, TdesEde3};

/// SP 800-17, table B.1 (SP 800-20, table A.1): key 0101…01, plaintext a single one bit, from the
/// left.
#[rustfmt::skip]
const VARIABLE_PLAINTEXT: [u64; 64] = [
    0x95F8_A5E5_DD31_D900, 0xDD7F_121C_A501_5619, 0x2E86_5310_4F38_34EA, 0x4BD3_88FF_6CD8_1D4F,
    0x20B9_E767_B2FB_1456, 0x5557_9380_D771_38EF, 0x6CC5_DEFA_AF04_512F, 0x0D9F_279B_A5D8_7260,
    0xD903_1B02_71BD_5A0A, 0x4242_50B3_7C3D_D951, 0xB806_1B7E_CD9A_21E5, 0xF15D_0F28_6B65_BD28,
    0xADD0_CC8D_6E5D_EBA1, 0xE6D5_F827_52AD_63D1, 0xECBF_E3BD_3F59_1A5E, 0xF356_8343_79D1_65CD,
    0x2B9F_982F_2003_7FA9, 0x889D_E068_A16F_0BE6, 0xE19E_275D_846A_1298, 0x329A_8ED5_23D7_1AEC,
    0xE7FC_E225_57D2_3C97, 0x12A9_F581_7FF2_D65D, 0xA484_C3AD_38DC_9C19, 0xFBE0_0A8A_1EF8_AD72,
    0x750D_0794_0752_1363, 0x64FE_ED9C_724C_2FAF, 0xF02B_263B_328E_2B60, 0x9D64_555A_9A10_B852,
    0xD106_FF0B_ED52_55D7, 0xE165_2C6B_138C_64A5, 0xE428_5811_86EC_8F46, 0xAEB5_F5ED_E22D_1A36,
    0xE943_D756_8AEC_0C5C, 0xDF98_C827_6F54_B04B, 0xB160_E468_0F6C_696F, 0xFA07_52B0_7D9C_4AB8,
    0xCA3A_2B03_6DBC_8502, 0x5E09_0551_7BB5_9BCF, 0x814E_EB3B_91D9_0726, 0x4D49_DB15_3291_9C9F,
    0x25EB_5FC3_F8CF_0621, 0xAB6A_20C0_620D_1C6F, 0x79E9_0DBC_98F9_2CCA, 0x866E_CEDD_8072_BB0E,
    0x8B54_536F_2F3E_64A8, 0xEA51_D397_5595_B86B, 0xCAFF_C6AC_4542_DE31, 0x8DD4_5A2D_DF90_796C,
    0x1029_D55E_880E_C2D0, 0x5D86_CB23_639D_BEA9, 0x1D1C_A853_AE7C_0C5F, 0xCE33_2329_248F_3228,
    0x8405_D1AB_E24F_B942, 0xE643_D780_90CA_4207, 0x4822_1B99_3774_8A23, 0xDD7C_0BBD_61FA_FD54,
    0x2FBC_291A_570D_B5C4, 0xE07C_30D7_E4E2_6E12, 0x0953_E225_8E8E_90A1, 0x5B71_1BC4_CEEB_F2EE,
    0xCC08_3F1E_6D9E_85F6, 0xD2FD_8867_D50D_2DFE, 0x06E7_EA22_CE92_708F, 0x166B_40B4_4ABA_4BD6,
];

/// SP 800-17, table B.2 (SP 800-20, table A.2): plaintext zero, key 0101…01 with a single one among
/// the bits that are not parity, from the left.
#[rustfmt::skip]
const VARIABLE_KEY: [u64; 56] = [
    0x95A8_D728_13DA_A94D, 0x0EEC_1487_DD8C_26D5, 0x7AD1_6FFB_79C4_5926, 0xD374_6294_CA6A_6CF3,
    0x809F_5F87_3C1F_D761, 0xC02F_AFFE_C989_D1FC, 0x4615_AA1D_33E7_2F10, 0x2055_1233_50C0_0858,
    0xDF3B_99D6_5773_97C8, 0x31FE_1736_9B52_88C9, 0xDFDD_3CC6_4DAE_1642, 0x178C_83CE_2B39_9D94,
    0x50F6_3632_4A9B_7F80, 0xA846_8EE3_BC18_F06D, 0xA2DC_9E92_FD3C_DE92, 0xCAC0_9F79_7D03_1287,
    0x90BA_680B_22AE_B525, 0xCE7A_24F3_50E2_80B6, 0x882B_FF0A_A01A_0B87, 0x2561_0288_9245_11C2,
    0xC715_16C2_9C75_D170, 0x5199_C29A_52C9_F059, 0xC22F_0A29_4A71_F29F, 0xEE37_1483_714C_02EA,
    0xA81F_BD44_8F9E_522F, 0x4F64_4C92_E192_DFED, 0x1AFA_9A66_A6DF_92AE, 0xB3C1_CC71_5CB8_79D8,
    0x19D0_32E6_4AB0_BD8B, 0x3CFA_A7A7_DC87_20DC, 0xB726_5F7F_447A_C6F3, 0x9DB7_3B3C_0D16_3F54,
    0x8181_B65B_ABF4_A975, 0x93C9_B640_42EA_A240, 0x5570_5308_2970_5592, 0x8638_809E_8787_87A0,
    0x41B9_A79A_F79A_C208, 0x7A9B_E42F_2009_A892, 0x2903_8D56_BA6D_2745, 0x5495_C6AB_F1E5_DF51,
    0xAE13_DBD5_6148_8933, 0x024D_1FFA_8904_E389, 0xD139_9712_F99B_F02E, 0x14C1_D7C1_CFFE_C79E,
    0x1DE5_279D_AE3B_ED6F, 0xE941_A33F_8550_1303, 0xDA99_DBBC_9A03_F379, 0xB7FC_92F9_1D8E_92E9,
    0xAE8E_5CAA_3CA0_4E85, 0x9CC6_2DF4_3B6E_ED74, 0xD863_DBB5_C59A_91A0, 0xA1AB_2190_545B_91D7,
    0x0875_041E_64C5_70F7, 0x5A59_4528_BEBE_F1CC, 0xFCDB_3291_DE21_F0C0, 0x869E_FD7F_9F26_5A09,
];

/// SP 800-17, table B.4 (SP 800-20, table A.4), substitution tables: key, plaintext, ciphertext.
#[rustfmt::skip]
const SUBSTITUTION: [[u64; 3]; 19] = [
    [0x7CA1_1045_4A1A_6E57, 0x01A1_D6D0_3977_6742, 0x690F_5B0D_9A26_939B],
    [0x0131_D961_9DC1_376E, 0x5CD5_4CA8_3DEF_57DA, 0x7A38_9D10_354B_D271],
    [0x07A1_133E_4A0B_2686, 0x0248_D438_06F6_7172, 0x868E_BB51_CAB4_599A],
    [0x3849_674C_2602_319E, 0x5145_4B58_2DDF_440A, 0x7178_876E_01F1_9B2A],
    [0x04B9_15BA_43FE_B5B6, 0x42FD_4430_5957_7FA2, 0xAF37_FB42_1F8C_4095],
    [0x0113_B970_FD34_F2CE, 0x059B_5E08_51CF_143A, 0x86A5_60F1_0EC6_D85B],
    [0x0170_F175_468F_B5E6, 0x0756_D8E0_7747_61D2, 0x0CD3_DA02_0021_DC09],
    [0x4329_7FAD_38E3_73FE, 0x7625_14B8_29BF_486A, 0xEA67_6B2C_B7DB_2B7A],
    [0x07A7_1370_45DA_2A16, 0x3BDD_1190_4937_2802, 0xDFD6_4A81_5CAF_1A0F],
    [0x0468_9104_C2FD_3B2F, 0x2695_5F68_35AF_609A, 0x5C51_3C9C_4886_C088],
    [0x37D0_6BB5_16CB_7546, 0x164D_5E40_4F27_5232, 0x0A2A_EEAE_3FF4_AB77],
    [0x1F08_260D_1AC2_465E, 0x6B05_6E18_759F_5CCA, 0xEF1B_F03E_5DFA_575A],
    [0x5840_2364_1ABA_6176, 0x004B_D6EF_0917_6062, 0x88BF_0DB6_D70D_EE56],
    [0x0258_1616_4629_B007, 0x480D_3900_6EE7_62F2, 0xA1F9_9155_4102_0B56],
    [0x4979_3EBC_79B3_258F, 0x4375_40C8_698F_3CFA, 0x6FBF_1CAF_CFFD_0556],
    [0x4FB0_5E15_15AB_73A7, 0x072D_43A0_7707_5292, 0x2F22_E49B_AB7C_A1AC],
    [0x49E9_5D6D_4CA2_29BF, 0x02FE_5577_8117_F12A, 0x5A6B_612C_C26C_CE4A],
    [0x0183_10DC_409B_26D6, 0x1D9D_5C50_18F7_28C2, 0x5F4C_038E_D12B_2E41],
    [0x1C58_7F1C_1392_4FEF, 0x3055_3228_6D6F_295A, 0x63FA_C0D0_34D9_F793],
];

const ONES: u64 = 0x0101_0101_0101_0101;

/// One block, both ways.
fn known<C: Cipher>(key: &[u64], plaintext: u64, ciphertext: u64) {
    let key: Vec<u8> = key.iter().flat_map(|part| part.to_be_bytes()).collect();
    let cipher = C::new_from_slice(&key).unwrap();
    let mut block = cipher::Block::<C>::try_from(&plaintext.to_be_bytes()[..]).unwrap();
    cipher.encrypt_block(&mut block);
    assert_eq!(block[..], ciphertext.to_be_bytes(), "{key:02x?}");
    cipher.decrypt_block(&mut block);
    assert_eq!(block[..], plaintext.to_be_bytes());
}

#[test]
fn des_variable_plaintext() {
    for (place, ciphertext) in VARIABLE_PLAINTEXT.into_iter().enumerate() {
        known::<Des>(&[ONES], 1 << (63 - place), ciphertext);
    }
}

#[test]
fn des_variable_key() {
    let key_bits = (0..64).filter(|place| place % 8 != 7);
    for (place, ciphertext) in key_bits.zip(VARIABLE_KEY) {
        // The parity bit of that byte goes out as the key bit goes in.
        let byte_parity = 1 << (56 - place / 8 * 8);
        known::<Des>(&[ONES ^ byte_parity | 1 << (63 - place)], 0, ciphertext);
    }
}

#[test]
fn des_substitution_tables() {
    for [key, plaintext, ciphertext] in SUBSTITUTION {
        known::<Des>(&[key], plaintext, ciphertext);
    }
}

#[test]
fn triple_des_by_the_tables_of_des() {
    // SP 800-20 tests triple DES with three equal keys, which must give DES.
    for (place, ciphertext) in VARIABLE_PLAINTEXT.into_iter().enumerate() {
        known::<TdesEde2>(&[ONES; 2], 1 << (63 - place), ciphertext);
        known::<TdesEde3>(&[ONES; 3], 1 << (63 - place), ciphertext);
    }
    for [key, plaintext, ciphertext] in SUBSTITUTION {
        known::<TdesEde2>(&[key; 2], plaintext, ciphertext);
        known::<TdesEde3>(&[key; 3], plaintext, ciphertext);
    }
}

const KEYS: [u64; 3] = [0x0123_4567_89AB_CDEF, 0x2345_6789_ABCD_EF01, 0x4567_89AB_CDEF_0123];

#[test]
fn triple_des_with_different_keys() {
    // SP 800-67, appendix B.1.
    let text = [0x5468_6520_7175_6663, 0x6B20_6272_6F77_6E20, 0x666F_7820_6A75_6D70];
    let secret = [0xA826_FD8C_E53B_855F, 0xCCE2_1C81_1225_6FE6, 0x68D5_C05D_D9B6_B900];
    for (plaintext, ciphertext) in text.into_iter().zip(secret) {
        known::<TdesEde3>(&KEYS, plaintext, ciphertext);
    }
    // NIST example values, TDES_Core: two keys and three.
    let text = [0x6BC1_BEE2_2E40_9F96, 0xE93D_7E11_7393_172A, 0xAE2D_8A57_1E03_AC9C, 0x9EB7_6FAC_45AF_8E51];
    let two = [0x06ED_E3D8_2884_090A, 0xFF32_2C19_F051_8486, 0x7305_7697_2A66_6E58, 0xB6C8_8CF1_0734_0D3D];
    let three = [0x7147_72F3_3984_1D34, 0x267F_CC4B_D294_9CC3, 0xEE11_C22A_576A_3038, 0x7618_3F99_C0B6_DE87];
    for ((plaintext, two), three) in text.into_iter().zip(two).zip(three) {
        known::<TdesEde2>(&KEYS[..2], plaintext, two);
        known::<TdesEde3>(&KEYS, plaintext, three);
    }
}

#[test]
fn a_number_is_enciphered_as_in_fips_81() {
    // FIPS 81, table B1: "Now is t" under 0123456789ABCDEF in ECB is what E_K(N1) is for one block.
    let key = Key::<Des>::new(&KEYS[0].to_be_bytes()).unwrap();
    let challenge = Challenge { n1: b"Now is t".into() };
    let random = &mut |out: &mut [u8]| out.fill(0x42);
    let response = claims::respond(&key, &challenge, claims::OneWay::Xor, random).unwrap().send;
    assert_eq!(response.encrypted, 0x3FA4_0E8A_984D_4815_u64.to_be_bytes());
    let package = description::respond(&key, &challenge, random).unwrap().send.package;
    let expected: Vec<u8> = response.encrypted.iter().map(|byte| byte ^ 0x42).collect();
    assert_eq!(package, expected);
}

#[test]
fn a_longer_text_is_sealed_as_in_fips_81() {
    // FIPS 81, table C1: CBC under the same key from the vector 1234567890ABCDEF; here one block of
    // padding follows.
    let key = Key::<Des>::new(&KEYS[0].to_be_bytes()).unwrap();
    let mut vector = |out: &mut [u8]| out.copy_from_slice(&0x1234_5678_90AB_CDEF_u64.to_be_bytes());
    let sealed = configuration::request(&key, "Now is the time for all ", &mut vector).encrypted;
    let known =
        [0x1234_5678_90AB_CDEF, 0xE5C7_CDDE_872B_F27C, 0x43E9_3400_8C38_9C0F, 0x6837_8849_9A7C_05F6_u64];
    assert_eq!(sealed[..32], known.map(u64::to_be_bytes).concat());
    assert_eq!(sealed.len(), 40);
    let need = configuration::receive_request(&key, &configuration::Request { encrypted: sealed }).unwrap();
    assert_eq!(need.wanted(), "Now is the time for all ");
}

#[test]
fn every_length_seals_and_opens() {
    let key = Key::<TdesEde3>::new(&KEYS.map(u64::to_be_bytes).concat()).unwrap();
    for len in 0..40 {
        let setting = "s".repeat(len + 1);
        let text = format!("{setting}=\n");
        let random = &mut |out: &mut [u8]| out.fill(9);
        let encrypted = configuration::request(&key, &text, random).encrypted;
        let mut seen = String::new();
        let mut system = |instruction: &Instruction| seen.push_str(instruction.setting());
        configuration::receive_instructions(&key, &Instructions { encrypted }, &mut system).unwrap();
        assert_eq!(seen, setting);
    }
}
