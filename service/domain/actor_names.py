"""The names of actors that the registry knows by itself: states, organisations, and what else they are called.

English names are a table of our own: an answer has to repeat byte for byte for ever, and a library's names change.
"""

from typing import Final

COUNTRIES: Final = """
AD Andorra; AE United Arab Emirates; AF Afghanistan; AG Antigua and Barbuda; AI Anguilla; AL Albania;
AM Armenia; AO Angola; AQ Antarctica; AR Argentina; AS American Samoa; AT Austria; AU Australia;
AW Aruba; AX Åland Islands; AZ Azerbaijan; BA Bosnia and Herzegovina; BB Barbados; BD Bangladesh;
BE Belgium; BF Burkina Faso; BG Bulgaria; BH Bahrain; BI Burundi; BJ Benin; BL St. Barthélemy;
BM Bermuda; BN Brunei; BO Bolivia; BQ Caribbean Netherlands; BR Brazil; BS Bahamas; BT Bhutan;
BV Bouvet Island; BW Botswana; BY Belarus; BZ Belize; CA Canada; CC Cocos Islands;
CD Democratic Republic of the Congo; CF Central African Republic; CG Republic of the Congo;
CH Switzerland; CI Ivory Coast; CK Cook Islands; CL Chile; CM Cameroon; CN China; CO Colombia;
CR Costa Rica; CU Cuba; CV Cape Verde; CW Curaçao; CX Christmas Island; CY Cyprus; CZ Czechia;
DE Germany; DJ Djibouti; DK Denmark; DM Dominica; DO Dominican Republic; DZ Algeria; EC Ecuador;
EE Estonia; EG Egypt; EH Western Sahara; ER Eritrea; ES Spain; ET Ethiopia; FI Finland; FJ Fiji;
FK Falkland Islands; FM Micronesia; FO Faroe Islands; FR France; GA Gabon; GB United Kingdom;
GD Grenada; GE Georgia; GF French Guiana; GG Guernsey; GH Ghana; GI Gibraltar; GL Greenland; GM Gambia;
GN Guinea; GP Guadeloupe; GQ Equatorial Guinea; GR Greece; GS South Georgia and South Sandwich Islands;
GT Guatemala; GU Guam; GW Guinea-Bissau; GY Guyana; HK Hong Kong; HM Heard and McDonald Islands;
HN Honduras; HR Croatia; HT Haiti; HU Hungary; ID Indonesia; IE Ireland; IL Israel; IM Isle of Man;
IN India; IO British Indian Ocean Territory; IQ Iraq; IR Iran; IS Iceland; IT Italy; JE Jersey;
JM Jamaica; JO Jordan; JP Japan; KE Kenya; KG Kyrgyzstan; KH Cambodia; KI Kiribati; KM Comoros;
KN St. Kitts and Nevis; KP North Korea; KR South Korea; KW Kuwait; KY Cayman Islands; KZ Kazakhstan;
LA Laos; LB Lebanon; LC St. Lucia; LI Liechtenstein; LK Sri Lanka; LR Liberia; LS Lesotho; LT Lithuania;
LU Luxembourg; LV Latvia; LY Libya; MA Morocco; MC Monaco; MD Moldova; ME Montenegro; MF St. Martin;
MG Madagascar; MH Marshall Islands; MK North Macedonia; ML Mali; MM Myanmar; MN Mongolia; MO Macao;
MP Northern Mariana Islands; MQ Martinique; MR Mauritania; MS Montserrat; MT Malta; MU Mauritius;
MV Maldives; MW Malawi; MX Mexico; MY Malaysia; MZ Mozambique; NA Namibia; NC New Caledonia; NE Niger;
NF Norfolk Island; NG Nigeria; NI Nicaragua; NL Netherlands; NO Norway; NP Nepal; NR Nauru; NU Niue;
NZ New Zealand; OM Oman; PA Panama; PE Peru; PF French Polynesia; PG Papua New Guinea; PH Philippines;
PK Pakistan; PL Poland; PM St. Pierre and Miquelon; PN Pitcairn Islands; PR Puerto Rico; PS Palestine;
PT Portugal; PW Palau; PY Paraguay; QA Qatar; RE Réunion; RO Romania; RS Serbia; RU Russia; RW Rwanda;
SA Saudi Arabia; SB Solomon Islands; SC Seychelles; SD Sudan; SE Sweden; SG Singapore; SH St. Helena;
SI Slovenia; SJ Svalbard and Jan Mayen; SK Slovakia; SL Sierra Leone; SM San Marino; SN Senegal;
SO Somalia; SR Suriname; SS South Sudan; ST São Tomé and Príncipe; SV El Salvador; SX Sint Maarten;
SY Syria; SZ Eswatini; TC Turks and Caicos Islands; TD Chad; TF French Southern Territories; TG Togo;
TH Thailand; TJ Tajikistan; TK Tokelau; TL Timor-Leste; TM Turkmenistan; TN Tunisia; TO Tonga;
TR Türkiye; TT Trinidad and Tobago; TV Tuvalu; TW Taiwan; TZ Tanzania; UA Ukraine; UG Uganda;
UM U.S. Outlying Islands; US United States; UY Uruguay; UZ Uzbekistan; VA Vatican City;
VC St. Vincent and Grenadines; VE Venezuela; VG British Virgin Islands; VI U.S. Virgin Islands;
VN Vietnam; VU Vanuatu; WF Wallis and Futuna; WS Samoa; XK Kosovo; YE Yemen; YT Mayotte;
ZA South Africa; ZM Zambia; ZW Zimbabwe
"""

# code: the name, then its other names. A short form that is also a state's code (AU, EC) is left out.
ORGANISATIONS: Final = """
african-union: African Union
arab-league: Arab League; League of Arab States
asean: ASEAN; Association of Southeast Asian Nations
brics: BRICS
bucharest-nine: Bucharest Nine; B9
cis: Commonwealth of Independent States
coe: Council of Europe
commonwealth: Commonwealth of Nations; The Commonwealth
csto: CSTO; Collective Security Treaty Organization
e3: E3; European Three
ebrd: EBRD; European Bank for Reconstruction and Development
ecb: European Central Bank; ECB
echr: European Court of Human Rights; ECtHR; ECHR
eib: EIB; European Investment Bank
epc: European Political Community
eu: European Union; EU; ЄС; ЕС
european-commission: European Commission; EU Commission
european-council: European Council
european-parliament: European Parliament; EU Parliament
g20: G20; Group of Twenty
g7: G7; Group of Seven
gcc: Gulf Cooperation Council; GCC; Cooperation Council for the Arab States of the Gulf
iaea: IAEA; International Atomic Energy Agency
icc: International Criminal Court; ICC
icj: International Court of Justice; ICJ
icrc: ICRC; International Committee of the Red Cross; Red Cross
imf: IMF; International Monetary Fund
interpol: Interpol; International Criminal Police Organization
iom: International Organization for Migration; IOM
jef: Joint Expeditionary Force; JEF
nato: NATO; North Atlantic Treaty Organization; North Atlantic Alliance; OTAN; НАТО
nordic-baltic-eight: Nordic-Baltic Eight; NB8
oecd: OECD; Organisation for Economic Co-operation and Development
oic: Organisation of Islamic Cooperation; OIC
opcw: OPCW; Organisation for the Prohibition of Chemical Weapons
osce: OSCE; Organization for Security and Co-operation in Europe; OBSE; ОБСЕ
sco: Shanghai Cooperation Organisation; SCO
un: United Nations; UN; United Nations Organization; UNO; ONU; ООН
un-security-council: UN Security Council; United Nations Security Council; UNSC
unhcr: UNHCR; UN Refugee Agency; United Nations High Commissioner for Refugees
unicef: UNICEF; United Nations Children's Fund
visegrad-group: Visegrád Group; V4; Visegrád Four
weimar-plus: Weimar+; Weimar Plus
weimar-triangle: Weimar Triangle
wfp: World Food Programme; WFP
who: World Health Organization; WHO
world-bank: World Bank; World Bank Group
wto: World Trade Organization; WTO
"""

ALIASES: Final = """
AE: UAE; Emirates
BA: Bosnia; Bosnia Herzegovina
CD: DRC; DR Congo; Democratic Republic of Congo; Congo Kinshasa; Zaire
CG: Congo Brazzaville; Republic of Congo
CI: Côte d'Ivoire
CN: PRC; People's Republic of China; Mainland China
CV: Cabo Verde
CZ: Czech Republic
DE: Federal Republic of Germany; FRG
FR: French Republic
GB: UK; Great Britain; Britain; United Kingdom of Great Britain and Northern Ireland; \
Großbritannien; Grande-Bretagne; Gran Bretaña; Gran Bretagna; Grã-Bretanha; Groot-Brittannië; \
Великобританія; Сполучене Королівство
GE: Republic of Georgia
GR: Hellas; Hellenic Republic
IE: Republic of Ireland; Eire
KP: DPRK; Democratic People's Republic of Korea
KR: ROK; Republic of Korea
LA: Lao PDR
MD: Republic of Moldova
MK: Macedonia; Republic of North Macedonia; FYROM
MM: Burma
NL: Holland; The Netherlands
PL: Republic of Poland
PS: Palestinian Territories; State of Palestine; Palestinian Authority
RS: Republic of Serbia
RU: Russian Federation
SK: Slovak Republic
SZ: Swaziland
TL: East Timor
TR: Turkey; Republic of Türkiye; Republic of Turkey
UA: The Ukraine
US: USA; United States of America; America; U.S.; США; \
Vereinigte Staaten von Amerika; États-Unis d'Amérique; Estados Unidos de América
VA: Vatican; Holy See; Vatican City State
XK: Republic of Kosovo; Kosova
"""

# Names that a reader could take for one state and that are not its name: what to do instead.
